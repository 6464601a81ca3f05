use jobs::job;

#[job(schedule = "0 25 * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
