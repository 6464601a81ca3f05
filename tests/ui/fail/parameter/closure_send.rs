use jobs::job;

#[job]
async fn mail(then: Option<Box<dyn FnMut(u32) -> bool + Send>>) {
    drop(then);
}

fn main() {
    let _ = mail { then: None };
}
