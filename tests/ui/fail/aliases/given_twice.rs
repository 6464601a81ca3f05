use jobs::job;

#[job(aliases = ["old", "old"])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
