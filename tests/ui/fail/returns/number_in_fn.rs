use jobs::job;

#[job]
fn sweep() -> u32 { 3 }

fn main() {}
