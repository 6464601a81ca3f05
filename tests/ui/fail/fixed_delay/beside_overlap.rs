use jobs::job;

#[job(fixed_delay = "5m", overlap = "skip")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
