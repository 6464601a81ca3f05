use jobs::job;

#[job]
async fn sweep(#[state] _db: &std::rc::Rc<u8>) {}

fn main() {}
