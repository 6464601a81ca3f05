use jobs::job;

#[derive(serde::Serialize, serde::Deserialize)]
struct Value;

#[job]
async fn sweep(_value: Value) {}

fn main() {
    let _ = sweep { _value: Value }.clone();
}
