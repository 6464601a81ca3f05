use jobs::job;

#[job(every = "1h", retries = 0, backoff = "1s..10m")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
