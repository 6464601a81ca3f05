use jobs::job;

#[job]
async fn sweep(#[redact] _password: String) {}

fn main() {}
