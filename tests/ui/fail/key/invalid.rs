use jobs::job;

#[job(schedule = "@daily", key = "night run")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
