use jobs::job;

#[job(schedule = "0 25 * * *")]
async fn nightly() {}

fn main() {
    let _ = nightly {};
}
