use jobs::job;

#[job(schedule = "@daily", args(to = "ops", to = "dev"))]
async fn mail(to: String, #[default] times: u32) {
    let _ = (to, times);
}

fn main() {
    let _ = mail { to: String::new(), times: 1 };
}
