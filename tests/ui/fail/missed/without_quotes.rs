use jobs::job;

#[job(every = "1h", missed = all)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
