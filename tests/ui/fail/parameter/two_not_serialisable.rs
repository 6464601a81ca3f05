use jobs::job;

struct One;
struct Two;

#[job]
async fn sweep(_one: One, _two: Two) {}

fn main() {}
