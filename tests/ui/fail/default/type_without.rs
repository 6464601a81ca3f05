use jobs::job;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Value(u8);

#[job]
async fn sweep(#[default] _value: Value) {}

fn main() {
    let _ = sweep { _value: Value(1) };
}
