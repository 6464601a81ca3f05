use jobs::job;

#[job(schedule = "0 */0 * * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
