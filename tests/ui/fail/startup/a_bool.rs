use jobs::job;

#[job(startup = true)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
