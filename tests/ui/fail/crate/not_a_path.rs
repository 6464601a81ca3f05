use jobs::job;

#[job(crate = 3)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
