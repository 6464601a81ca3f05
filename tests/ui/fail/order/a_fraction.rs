use jobs::job;

#[job(startup = "blocking", order = 1.5)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
