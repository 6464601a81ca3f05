use jobs::job;

#[job(crate = jobz)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
