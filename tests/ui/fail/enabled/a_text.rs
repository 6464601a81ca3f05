use jobs::job;

#[job(enabled = "no")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
