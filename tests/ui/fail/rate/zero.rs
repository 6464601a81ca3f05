use jobs::job;

#[job(rate = "0/1m")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
