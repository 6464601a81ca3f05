use jobs::job;

#[job(queue = "Mail")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
