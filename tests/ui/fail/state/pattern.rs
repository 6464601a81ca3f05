use jobs::job;

struct Db(u8);

#[job]
async fn sweep(#[state] Db(_count): &Db) {}

fn main() {}
