use jobs::job;

#[job(schedule = "@daily", arg(to = "ops"))]
async fn mail(to: String) {
    drop(to);
}

fn main() {
    let _ = mail { to: String::new() };
}
