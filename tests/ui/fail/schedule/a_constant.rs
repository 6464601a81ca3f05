use jobs::job;

const NIGHTLY: &str = "0 0 3 * * *";

#[job(schedule = NIGHTLY)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
