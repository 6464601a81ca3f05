use jobs::job;

#[job]
async fn sweep() -> ! { loop {} }

fn main() {}
