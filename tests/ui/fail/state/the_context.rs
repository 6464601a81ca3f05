use jobs::job;

#[job]
async fn sweep(#[state] _cx: &jobs::JobContext) {}

fn main() {}
