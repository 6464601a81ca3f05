use jobs::job;

#[job(schedule = ["0 0 3 * * *", "0 0 24 * * *", "0 0 4 * * *"])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
