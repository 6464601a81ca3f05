use jobs::job;

#[derive(Clone, serde::Serialize)]
struct Value;

#[job]
async fn sweep(_value: Value) {}

fn main() {
    let _ = sweep { _value: Value };
}
