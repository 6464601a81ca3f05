use jobs::job;

struct Sweep;

#[job(every = "1h")]
impl Sweep {
    fn run() {}
}

fn main() {
    Sweep::run();
}
