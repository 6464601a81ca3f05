use jobs::job;

#[job]
async fn sweep(_value: Valeu) {}

fn main() {}
