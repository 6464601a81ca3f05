use jobs::job;

#[job(schedule = "@daily", tz = UTC)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
