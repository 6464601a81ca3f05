use jobs::job;

#[job(startup every = "1h", jitter = "1m")]
async fn sweep() {}

fn main() {}
