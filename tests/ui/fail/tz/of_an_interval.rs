use jobs::job;

#[job(schedule = "@every 1h", tz = "Europe/Oslo")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
