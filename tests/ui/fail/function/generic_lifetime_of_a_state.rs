use jobs::job;

#[job]
async fn sweep<'a>(#[state] _db: &'a String) {}

fn main() {
    let _ = sweep {};
}
