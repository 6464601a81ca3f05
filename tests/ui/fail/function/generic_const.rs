use jobs::job;

#[job]
async fn sweep<const N: usize>() {}

fn main() {
    let _ = sweep {};
}
