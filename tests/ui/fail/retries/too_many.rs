use jobs::job;

#[job(every = "1h", retries = 10_001)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
