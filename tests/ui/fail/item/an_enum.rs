use jobs::job;

#[job(every = "1h")]
#[job(every = "2h")]
enum Sweep {
    One,
}

fn main() {
    let _ = Sweep::One;
}
