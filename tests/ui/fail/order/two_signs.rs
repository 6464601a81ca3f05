use jobs::job;

#[job(startup, order = --1)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
