use jobs::job;

#[derive(Clone)]
struct Value;

#[job]
async fn sweep(_value: Vec<Option<Value>>) {}

fn main() {
    let _ = sweep { _value: vec![Some(Value)] };
}
