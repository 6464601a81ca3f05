use jobs::job;

#[job(every = "0 0 3 * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
