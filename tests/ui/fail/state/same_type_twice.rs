use jobs::job;

#[job]
async fn copy(#[state] from: &Vec<String>, #[state] to: &Vec<String>) {}

fn main() {}
