use jobs::job;

#[job(fixed_delay = "0 0 3 * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
