use jobs::job;

pub struct Cursor {
    at: *const u8,
}

#[job]
async fn sweep(from: Cursor) {}

fn main() {}
