use jobs::job;

#[job(schedule = "@midnite")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
