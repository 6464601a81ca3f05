use jobs::job;

struct Db;

#[job]
async fn sweep(#[state] db: &'static Db) {
    let _ = db;
}

fn main() {
    let _ = sweep {};
}
