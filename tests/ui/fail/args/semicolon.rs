use jobs::job;

#[job(every = "1h", args(to = "ops"; count = 3))]
async fn mail(to: String, count: u32) {
    drop((to, count));
}

fn main() {
    let _ = mail { to: String::new(), count: 1 };
}
