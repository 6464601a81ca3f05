use jobs::job;

#[job(enabled = false every = "1h", args(to = "ops"))]
async fn sweep(to: String) {}

fn main() {}
