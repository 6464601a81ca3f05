use jobs::job;

#[job]
async fn sweep(_: u8) {}

fn main() {}
