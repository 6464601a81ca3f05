use jobs::job;

#[job]
async fn sweep(#[cfg(all())] _value: u8) {}

fn main() {}
