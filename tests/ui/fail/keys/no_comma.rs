use jobs::job;

#[job(schedule = "@daily" startup)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
