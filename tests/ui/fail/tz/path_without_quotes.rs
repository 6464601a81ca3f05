use jobs::job;

#[job(schedule = "@daily", tz = Europe/Oslo)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
