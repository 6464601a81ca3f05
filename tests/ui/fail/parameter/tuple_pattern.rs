use jobs::job;

#[job]
async fn sweep((_a, _b): (u8, u8)) {}

fn main() {}
