use jobs::job;

#[job]
#[tokio::test]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
