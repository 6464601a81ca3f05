use jobs::job;

#[job]
#[tokio::main]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
