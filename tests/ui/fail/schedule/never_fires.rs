use jobs::job;

#[job(schedule = "0 0 0 30 2 ?")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
