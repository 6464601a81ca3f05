use jobs::job;

#[job]
async fn sweep(cx: &jobs::JobContext, count: u32, again: &jobs::JobContext) {}

fn main() {}
