use jobs::job;

#[job(startup, args(to = "ops"))]
async fn sweep(to: String) {}

fn main() {}
