use jobs::job;

#[job(que = "mail")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
