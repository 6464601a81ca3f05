use jobs::job;

trait Mailer {}

#[job]
async fn sweep(#[state] _mailer: &dyn Mailer) {}

fn main() {}
