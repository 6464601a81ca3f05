use jobs::job;

#[job]
async fn sweep(_to: impl Into<String>) {}

fn main() {}
