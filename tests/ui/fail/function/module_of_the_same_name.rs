use jobs::job;

#[job]
async fn sweep() {}

mod sweep {}

fn main() {}
