use jobs::job;

#[job(missed = "once")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
