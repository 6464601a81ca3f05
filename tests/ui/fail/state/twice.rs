use jobs::job;

struct Db;

#[job]
async fn sweep(#[state] #[state] _db: &Db) {}

fn main() {}
