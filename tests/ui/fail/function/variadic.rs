use jobs::job;

#[job]
async fn sum(numbers: ...) {}

fn main() {
    let _ = sum {};
}
