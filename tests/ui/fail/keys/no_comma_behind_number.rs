use jobs::job;

#[job(startup, order = 1 name = "cleaner")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
