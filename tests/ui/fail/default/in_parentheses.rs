use jobs::job;

#[job]
async fn sweep(#[default(3)] _count: u8) {}

fn main() {}
