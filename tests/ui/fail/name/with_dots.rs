use jobs::job;

#[job(every = "1h", name = "app.sweep")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
