use jobs::job;

#[job(schedule = 15)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
