use jobs::job;

#[job(aliases = [sweeper])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
