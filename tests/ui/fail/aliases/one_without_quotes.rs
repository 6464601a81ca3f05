use jobs::job;

#[job(aliases = ["cleaner", sweeper])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
