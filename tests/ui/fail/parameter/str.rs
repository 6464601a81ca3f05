use jobs::job;

#[job]
async fn sweep(_to: &str) {}

fn main() {
    let _ = sweep { _to: "ops".into() };
}
