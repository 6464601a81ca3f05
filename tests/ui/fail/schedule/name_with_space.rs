use jobs::job;

#[job(schedule = "cron.night run")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
