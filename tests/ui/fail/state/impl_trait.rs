use jobs::job;

#[job]
async fn sweep(#[state] _mailer: &impl Clone) {}

fn main() {}
