use jobs::job;

#[job(schedule = r"0 0 3 * * XYZ")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
