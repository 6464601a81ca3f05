use jobs::job;

#[job]
async fn sweep(_to: Vec<impl Into<String>>) {}

fn main() {}
