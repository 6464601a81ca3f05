use jobs::job;

#[job]
fn sweep(#[state] _db: &std::cell::Cell<u8>) {}

fn main() {
    let _ = sweep {};
}
