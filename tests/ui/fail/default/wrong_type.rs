use jobs::job;

#[job]
async fn sweep(#[default = "three"] _count: u8) {}

fn main() {
    let _ = sweep { _count: 1 };
}
