use jobs::job;

#[job(schedule = ("@daily"))]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
