use jobs::job;

#[job(aliases("cleaner"))]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
