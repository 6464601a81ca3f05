use jobs::job;

#[job(args(to = "ops"))]
async fn mail(to: String, #[default] times: u32) {
    let _ = (to, times);
}

fn main() {
    let _ = mail { to: String::new(), times: 1 };
}
