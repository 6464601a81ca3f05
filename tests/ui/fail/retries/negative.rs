use jobs::job;

#[job(every = "1h", retries = -1)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
