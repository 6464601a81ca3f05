use jobs::job;

#[job(cron = "0 0 3 * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
