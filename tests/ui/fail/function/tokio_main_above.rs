use jobs::job;

#[tokio::main]
#[job]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
