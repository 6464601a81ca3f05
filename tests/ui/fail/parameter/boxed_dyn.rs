use jobs::job;

pub trait Sink {}

#[job]
async fn sweep(to: Box<dyn Sink>) {}

fn main() {}
