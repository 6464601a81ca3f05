use jobs::job;

#[job(every = "5 fortnights")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
