use jobs::job;

#[job]
async fn mail(body: [u8]) {
    drop(body.len());
}

fn main() {
    let _ = mail { body: vec![1] };
}
