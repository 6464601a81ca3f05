use jobs::job;

#[job]
async fn sweep(_count: &mut u32) {}

fn main() {}
