use jobs::job;

#[job(unique(to))]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
