use jobs::job;

#[job(startup,, schedule = "@daily")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
