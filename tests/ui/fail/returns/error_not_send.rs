use jobs::job;

#[job]
async fn sweep() -> Result<(), Box<dyn std::error::Error>> { Ok(()) }

fn main() {}
