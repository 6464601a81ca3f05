use jobs::job;

#[job(every = "1h", overlap = "parallel")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
