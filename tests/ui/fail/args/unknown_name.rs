use jobs::job;

#[job(schedule = "@daily", args(too = "ops"))]
async fn mail(#[default] to: String, #[default] times: u32) {
    let _ = (to, times);
}

fn main() {
    let _ = mail { to: String::new(), times: 1 };
}
