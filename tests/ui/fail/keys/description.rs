use jobs::job;

#[job(description = "sweeps the floors")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
