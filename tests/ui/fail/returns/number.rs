use jobs::job;

#[job]
async fn sweep() -> u32 { 3 }

fn main() {
    let _ = sweep {};
}
