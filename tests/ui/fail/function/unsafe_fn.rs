use jobs::job;

#[job]
unsafe fn sweep() {}

fn main() {
    let _ = sweep {};
}
