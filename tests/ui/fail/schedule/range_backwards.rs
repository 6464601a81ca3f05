use jobs::job;

#[job(schedule = "0 0 17-9 * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
