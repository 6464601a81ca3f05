use jobs::job;

#[job(schedule = [cron.nightly])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
