use jobs::job;

#[job]
extern "C" fn sweep() {}

fn main() {
    let _ = sweep {};
}
