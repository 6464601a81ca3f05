use jobs::job;

#[job(aliases = "old")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
