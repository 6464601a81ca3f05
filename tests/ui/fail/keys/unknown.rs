use jobs::job;

#[job(every = "1h", colour = "red")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
