use jobs::job;

#[job(rate = "100")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
