use jobs::job;

#[job(rate = "100/minute")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
