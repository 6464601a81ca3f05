use jobs::job;

#[job(schedule = "@daily", args(db = "ops"))]
async fn sweep(#[state] db: &String) {
    let _ = db;
}

fn main() {
    let _ = sweep {};
}
