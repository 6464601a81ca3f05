use jobs::job;

#[job(schedule = "@daily", args(too = "ops"))]
async fn mail(to: String) {
    drop(to);
}

fn main() {
    let _ = mail { to: String::new() };
}
