use jobs::job;

#[job(every = "1h", overlap = "buffer-one")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
