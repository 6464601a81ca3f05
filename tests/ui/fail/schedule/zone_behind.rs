use jobs::job;

#[job(schedule = "0 9 * * MON-FRI Europe/Oslo")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
