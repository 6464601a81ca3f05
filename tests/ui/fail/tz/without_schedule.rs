use jobs::job;

#[job(tz = "Europe/Oslo")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
