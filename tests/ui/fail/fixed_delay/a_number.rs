use jobs::job;

#[job(fixed_delay = 5)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
