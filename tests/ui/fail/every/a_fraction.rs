use jobs::job;

#[job(every = 1.5h)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
