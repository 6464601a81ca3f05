use jobs::job;

#[job(schedule = "@daily", schedule = "@hourly")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
