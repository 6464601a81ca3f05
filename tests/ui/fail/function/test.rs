use jobs::job;

#[job]
#[test]
fn sweep() {}

fn main() {
    let _ = sweep {};
}
