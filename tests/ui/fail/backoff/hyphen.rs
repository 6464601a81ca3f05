use jobs::job;

#[job(retries = 5, backoff = "1s-10m")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
