use jobs::job;

#[job(enabled)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
