use jobs::job;

#[job(schedule = ["0 61 3 * * *", "0 0 24 * * *"])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
