use jobs::job;

struct Sweeper;

impl Sweeper {
    #[job(every = "1h")]
    async fn sweep(&self) {}
}

fn main() {
    drop(Sweeper.sweep());
}
