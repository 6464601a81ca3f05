use jobs::job;

#[job(priority = "high")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
