use jobs::job;

#[job(every = "10s", jitter = "30s")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
