use jobs::job;

#[job(startup = "blocking", order = "first")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
