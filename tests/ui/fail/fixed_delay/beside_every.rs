use jobs::job;

#[job(fixed_delay = "5m", every = "1h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
