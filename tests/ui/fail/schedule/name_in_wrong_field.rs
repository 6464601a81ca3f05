use jobs::job;

#[job(schedule = "0 0 MON * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
