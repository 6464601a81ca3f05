use jobs::job;

#[job(every = "1h", name = "")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
