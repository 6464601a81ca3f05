use jobs::job;

#[job]
async fn sweep(#[state] _db: &std::cell::Cell<u8>) {}

fn main() {
    let _ = sweep {};
}
