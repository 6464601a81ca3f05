use jobs::job;

#[job(every = "1h", missed = true)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
