use jobs::job;

#[job]
const fn sweep() {}

fn main() {
    let _ = sweep {};
}
