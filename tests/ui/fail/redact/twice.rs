use jobs::job;

#[job]
async fn sweep(#[redact] #[redact] token: String) {
    drop(token);
}

fn main() {
    let _ = sweep { token: String::new() };
}
