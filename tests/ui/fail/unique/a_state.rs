use jobs::job;

#[job(unique(db))]
async fn sweep(#[state] db: &String) {
    let _ = db;
}

fn main() {
    let _ = sweep {};
}
