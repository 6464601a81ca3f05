use jobs::job;

#[job(priority = -101)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
