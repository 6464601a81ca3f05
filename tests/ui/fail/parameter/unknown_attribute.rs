use jobs::job;

#[job]
async fn sweep(#[inject] _db: &String) {}

fn main() {}
