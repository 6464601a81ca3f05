use jobs::job;

#[job]
async fn sweep(_cx: &mut jobs::JobContext) {}

fn main() {}
