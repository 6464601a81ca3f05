use jobs::job;

#[job(every = "1h" "2h")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
