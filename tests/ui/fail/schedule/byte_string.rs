use jobs::job;

#[job(schedule = b"@daily")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
