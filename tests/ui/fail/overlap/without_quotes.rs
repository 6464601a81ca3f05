use jobs::job;

#[job(every = "1h", overlap = skip)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
