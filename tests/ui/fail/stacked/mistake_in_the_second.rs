use jobs::job;

#[job(every = "1h")]
#[jobs::job(every = "2x")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
