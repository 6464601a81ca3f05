use jobs::job;

#[job]
async fn sweep(to: std::borrow::Cow<str>) {}

fn main() {}
