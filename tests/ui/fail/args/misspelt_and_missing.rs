use jobs::job;

#[job(schedule = "@daily", args(too = "ops"))]
async fn mail(to: String, count: u32) {
    drop((to, count));
}

fn main() {
    let _ = mail { to: String::new(), count: 1 };
}
