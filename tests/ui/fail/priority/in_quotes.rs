use jobs::job;

#[job(priority = "10")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
