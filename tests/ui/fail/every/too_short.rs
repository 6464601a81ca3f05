use jobs::job;

#[job(every = "1ms")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
