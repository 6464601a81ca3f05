use jobs::job;

#[job]
async fn sweep(#[default] #[state] _db: &String) {}

fn main() {}
