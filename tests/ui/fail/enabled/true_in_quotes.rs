use jobs::job;

#[job(enabled = "true")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
