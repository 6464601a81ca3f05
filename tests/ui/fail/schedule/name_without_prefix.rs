use jobs::job;

#[job(schedule = "nightly")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
