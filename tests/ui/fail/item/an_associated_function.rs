use jobs::job;

struct Sweeper;

impl Sweeper {
    #[job(every = "1h")]
    async fn sweep() {}
}

fn main() {
    drop(Sweeper::sweep());
}
