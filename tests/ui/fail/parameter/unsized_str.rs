use jobs::job;

#[job]
async fn mail(to: str) {
    drop(to.len());
}

fn main() {
    let _ = mail { to: String::new() };
}
