use jobs::job;

#[job(every = "1h"; name = "cleaner")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
