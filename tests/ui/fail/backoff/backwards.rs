use jobs::job;

#[job(retries = 5, backoff = "10m..1s")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
