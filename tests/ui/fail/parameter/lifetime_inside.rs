use jobs::job;

#[job]
async fn sweep(_to: std::borrow::Cow<'_, str>) {}

fn main() {}
