use jobs::job;

#[job]
async fn sweep(#[redact] #[state] db: &String) {
    let _ = db;
}

fn main() {
    let _ = sweep {};
}
