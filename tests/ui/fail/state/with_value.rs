use jobs::job;

struct Db;

#[job]
async fn sweep(#[state(pool)] _db: &Db) {}

fn main() {}
