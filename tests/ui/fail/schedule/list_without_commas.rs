use jobs::job;

#[job(schedule = ["@daily" "@hourly"])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
