use jobs::job;

#[job(shedule = "@daily")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
