use jobs::job;

#[job("0 0 3 * * *" tz = "Europe/Oslo")]
async fn sweep() {}

fn main() {}
