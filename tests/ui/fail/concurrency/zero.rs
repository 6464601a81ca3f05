use jobs::job;

#[job(concurrency = 0)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
