use jobs::job;

#[job(schedule = "@daily", fixed_delay = "5m")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
