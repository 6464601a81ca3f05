use jobs::job;

#[job(aliases = ["old name", "fine"])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
