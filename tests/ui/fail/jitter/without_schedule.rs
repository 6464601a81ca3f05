use jobs::job;

#[job(jitter = "30s")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
