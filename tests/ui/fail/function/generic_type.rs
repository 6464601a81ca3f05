use jobs::job;

#[job]
async fn sweep<T: Clone>(value: T) {
    drop(value);
}

fn main() {}
