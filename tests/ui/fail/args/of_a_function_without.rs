use jobs::job;

#[job(schedule = "@daily", args(to = "ops"))]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
