use jobs::job;

#[job]
async fn sweep(#[default] #[default = 3] _count: u8) {}

fn main() {}
