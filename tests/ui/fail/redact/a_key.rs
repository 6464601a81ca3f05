use jobs::job;

#[job(redact)]
async fn sweep(token: String) {
    drop(token);
}

fn main() {
    let _ = sweep { token: String::new() };
}
