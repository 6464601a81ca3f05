use jobs::job;

#[job(every = "90")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
