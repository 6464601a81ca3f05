use jobs::job;

#[job(every = "1h")]
struct Sweep;

fn main() {
    let _ = Sweep;
}
