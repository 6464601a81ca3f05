use jobs::job;

#[job(every = "1h", retries = "5")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
