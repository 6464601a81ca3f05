use jobs::job;

#[job(schedule = "0 25 * * *", overlap = "skipp", order = 3)]
#[job(evry = "1h", tz = "Mars Base")]
async fn sweep(to: &str) {
    let _ = to;
}

fn main() {
    let _ = sweep { to: "ops".into() };
}
