use jobs::job;

#[job(key = "nightly")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
