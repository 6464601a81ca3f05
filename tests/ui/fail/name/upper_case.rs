use jobs::job;

#[job(every = "1h", name = "Sweep")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
