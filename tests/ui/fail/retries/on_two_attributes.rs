use jobs::job;

#[job(every = "1h", retries = 5)]
#[job(every = "2h", retries = 3)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
