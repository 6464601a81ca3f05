use jobs::job;

#[job(every = "@every 5m")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
