use jobs::job;

#[job(every = 1fortnight)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
