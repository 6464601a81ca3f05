use jobs::job;

#[job(schedule = "TZ=Asia/Tokyo 0 0 3 * * *", tz = "Europe/Oslo")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
