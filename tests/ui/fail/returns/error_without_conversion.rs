use jobs::job;

#[job]
async fn sweep() -> Result<(), u32> { Ok(()) }

fn main() {}
