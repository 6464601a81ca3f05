use jobs::job;

#[job(aliases = [])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
