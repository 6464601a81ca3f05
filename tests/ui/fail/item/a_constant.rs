use jobs::job;

#[job]
const SWEEP: u8 = 1;

fn main() {
    let _ = SWEEP;
}
