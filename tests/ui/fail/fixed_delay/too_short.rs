use jobs::job;

#[job(fixed_delay = "5ms")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
