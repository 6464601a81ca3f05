use jobs::job;

#[job(every = "1h", missed = "onec")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
