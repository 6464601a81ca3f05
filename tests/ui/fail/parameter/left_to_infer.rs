use jobs::job;

#[job]
async fn mail(to: _) {}

#[job(schedule = "@daily")]
async fn copy(to: Option<_>) {}

fn main() {}
