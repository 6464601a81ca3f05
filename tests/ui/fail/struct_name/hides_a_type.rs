use jobs::job;

#[job(struct_name = String)]
async fn mail(to: String) {}

fn main() {}
