use jobs::job;

#[job(queue("mail"))]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
