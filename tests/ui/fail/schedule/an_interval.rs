use jobs::job;

#[job(schedule = "24h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
