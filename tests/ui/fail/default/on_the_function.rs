use jobs::job;

#[job(every = "1h")]
#[default(count = 3)]
async fn sweep(count: u32) {}

fn main() {}
