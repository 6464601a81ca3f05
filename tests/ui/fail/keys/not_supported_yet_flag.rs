use jobs::job;

#[job(unique)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
