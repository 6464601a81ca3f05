use jobs::job;

#[job]
async fn u32(count: u32) {}

fn main() {}
