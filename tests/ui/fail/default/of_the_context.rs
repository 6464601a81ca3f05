use jobs::job;

#[job]
async fn sweep(#[default] _cx: &jobs::JobContext) {}

fn main() {}
