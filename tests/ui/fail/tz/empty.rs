use jobs::job;

#[job(schedule = "@daily", tz = "")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
