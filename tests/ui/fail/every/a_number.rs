use jobs::job;

#[job(every = 60)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
