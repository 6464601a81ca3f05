use jobs::job;

#[job(every = "0s")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
