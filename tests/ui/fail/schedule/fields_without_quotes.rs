use jobs::job;

#[job(schedule = 0 0 3 * * *)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
