use jobs::job;

#[job]
async fn sweep(#[state] _db: &str) {}

fn main() {}
