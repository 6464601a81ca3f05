use jobs::job;

#[job(schedule = "corn.nightly")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
