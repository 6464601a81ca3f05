use jobs::job;

#[job(retries = 5, backoff = "1s..")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
