use jobs::job;

#[job(every = "1h", jitter = 30)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
