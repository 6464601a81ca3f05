use jobs::job;

#[job]
async fn send(_to: String) {}

fn main() {
    let _ = jobs::now(send("ada@example.org".into())).blocking();
}
