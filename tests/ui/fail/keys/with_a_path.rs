use jobs::job;

#[job(jobs::schedule = "@daily")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
