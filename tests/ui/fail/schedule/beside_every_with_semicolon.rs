use jobs::job;

#[job(schedule = "@daily"; every = "1h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
