use jobs::job;

#[job(every = std::time::Duration::from_secs(60))]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
