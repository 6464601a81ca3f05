use jobs::job;

#[job(self_concurrent = true)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
