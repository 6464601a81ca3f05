use jobs::job;

#[job]
async fn store(image: Option<[u8]>) {
    drop(image);
}

fn main() {
    let _ = store { image: None };
}
