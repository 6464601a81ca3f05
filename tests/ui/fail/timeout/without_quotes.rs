use jobs::job;

#[job(every = "1h", timeout = 30s)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
