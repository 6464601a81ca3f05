use jobs::job;

#[job(every = "1h", priority = 5)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
