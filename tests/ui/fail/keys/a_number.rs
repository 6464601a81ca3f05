use jobs::job;

#[job(5)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
