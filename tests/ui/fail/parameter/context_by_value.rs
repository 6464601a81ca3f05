use jobs::job;

#[job]
async fn sweep(_cx: jobs::JobContext) {}

fn main() {}
