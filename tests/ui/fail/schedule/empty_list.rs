use jobs::job;

#[job(schedule = [])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
