use jobs::job;

#[job]
async fn sweep(_to: &[String]) {}

fn main() {
    let _ = sweep { _to: vec![] };
}
