use jobs::job;

#[job("24h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
