use jobs::job;

#[job(every = 1 h)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
