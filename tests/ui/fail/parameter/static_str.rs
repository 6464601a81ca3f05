use jobs::job;

#[job]
async fn sweep(_to: &'static str) {}

fn main() {}
