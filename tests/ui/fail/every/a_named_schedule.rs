use jobs::job;

#[job(every = "cron.nightly")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
