use jobs::job;

#[job]
async fn sweep() -> impl Clone { 3 }

fn main() {}
