use jobs::job;

#[job(every = -5)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
