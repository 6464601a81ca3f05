use jobs::job;

#[job(startup, startup = "blocking")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
