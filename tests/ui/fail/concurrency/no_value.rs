use jobs::job;

#[job(concurrency)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
