use jobs::job as cron;

#[cron(every = "1h")]
#[cron(every = "2h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
