use jobs::job;

#[job]
async fn sweep() {
    let count = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(count);
}

fn main() {
    let _ = sweep {};
}
