use jobs::job;

#[job(every = "1h", jitter = "0s")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
