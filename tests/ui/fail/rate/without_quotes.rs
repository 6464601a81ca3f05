use jobs::job;

#[job(rate = 100/1m)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
