use jobs::job;

#[job(every = "1h", overlap = "skip")]
#[job(every = "2h", overlap = "skip")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
