use jobs::job;

#[tokio::test]
#[job]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
