use jobs::job;

#[job]
async fn sweep(_value: Vec<std::rc::Rc<u8>>) {}

fn main() {}
