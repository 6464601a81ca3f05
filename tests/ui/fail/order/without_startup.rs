use jobs::job;

#[job(every = "1h", order = 3)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
