use jobs::job;

#[job(every = "1h")]
async fn mail(#[default = ] count: u32) {
    drop(count);
}

fn main() {
    let _ = mail { count: 1 };
}
