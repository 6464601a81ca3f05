use jobs::job;

#[job(every = "1h", missed = "skip within 6h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
