use jobs::job;

trait Sweep {
    #[job(every = "1h")]
    fn sweep(&self);
}

impl Sweep for u8 {
    fn sweep(&self) {}
}

fn main() {
    1u8.sweep();
}
