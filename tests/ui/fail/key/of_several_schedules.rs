use jobs::job;

#[job(schedule = ["@daily", "@hourly"], key = "nightly")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
