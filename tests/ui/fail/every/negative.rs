use jobs::job;

#[job(every = "-5m")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
