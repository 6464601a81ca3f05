use jobs::job;

#[job(startup = "async")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
