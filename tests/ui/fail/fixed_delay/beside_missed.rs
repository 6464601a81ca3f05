use jobs::job;

#[job(fixed_delay = "5m", missed = "once")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
