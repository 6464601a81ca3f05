use jobs::job;

struct Db;

#[job]
async fn sweep(#[state] _db: &mut Db) {}

fn main() {}
