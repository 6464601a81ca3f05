use jobs::job;

#[job(concurrency = -1)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
