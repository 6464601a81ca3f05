use jobs::job;

#[job]
async fn sweep(_to: Option<&str>) {}

fn main() {}
