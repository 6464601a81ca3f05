use jobs::job;

#[job]
async fn mail(then: Box<dyn Fn()>) {
    then();
}

fn main() {
    let _ = mail { then: Box::new(|| ()) };
}
