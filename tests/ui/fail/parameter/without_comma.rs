use jobs::job;

#[job(schedule = "@daily")]
async fn mail(to: String cc: String) {}

fn main() {}
