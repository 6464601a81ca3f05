use jobs::job;

#[job]
async fn sweep(#[stat] _db: &String) {}

fn main() {}
