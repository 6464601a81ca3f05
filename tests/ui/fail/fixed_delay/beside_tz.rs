use jobs::job;

#[job(fixed_delay = "5m", tz = "Europe/Oslo")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
