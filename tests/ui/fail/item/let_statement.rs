use jobs::job;

fn main() {
    #[job(every = "1h")]
    let sweep = || {};
    sweep();
}
