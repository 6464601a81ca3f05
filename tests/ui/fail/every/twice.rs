use jobs::job;

#[job(every = "1h", every = "2h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
