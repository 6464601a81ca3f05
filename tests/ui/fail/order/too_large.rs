use jobs::job;

#[job(startup = "blocking", order = 3_000_000_000)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
