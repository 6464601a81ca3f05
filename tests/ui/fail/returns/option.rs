use jobs::job;

#[job]
async fn sweep() -> Option<u32> { None }

fn main() {}
