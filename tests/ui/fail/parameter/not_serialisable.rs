use jobs::job;

struct Value;

#[job]
async fn sweep(_value: Value) {}

fn main() {
    let _ = sweep { _value: Value }.clone();
}
