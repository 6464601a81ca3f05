use jobs::job;

#[job]
async fn sweep(#[state] _db: &Nope) -> Missing { Ok(()) }

fn main() {}
