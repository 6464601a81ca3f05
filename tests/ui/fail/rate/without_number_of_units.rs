use jobs::job;

#[job(rate = "100/m")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
