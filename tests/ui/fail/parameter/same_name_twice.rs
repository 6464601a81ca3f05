use jobs::job;

#[job]
async fn sweep(_a: u8, _a: u8) {}

fn main() {}
