use jobs::job;

#[job = "@daily"]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
