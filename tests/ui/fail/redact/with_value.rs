use jobs::job;

#[job]
async fn sweep(#[redact(token)] token: String) {
    drop(token);
}

fn main() {
    let _ = sweep { token: String::new() };
}
