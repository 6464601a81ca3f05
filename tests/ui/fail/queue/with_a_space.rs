use jobs::job;

#[job(queue = "out going")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
