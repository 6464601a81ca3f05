use jobs::job;

struct Db;

#[job]
async fn sweep(_db: &Db) {}

fn main() {}
