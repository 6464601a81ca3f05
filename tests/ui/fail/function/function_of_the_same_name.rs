use jobs::job;

#[job(every = "1h")]
async fn sweep() {}

#[job(every = "2h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
