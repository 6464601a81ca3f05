use jobs::job;

#[job]
async fn sweep(#[redacted] token: String) {
    drop(token);
}

fn main() {
    let _ = sweep { token: String::new() };
}
