use jobs::job;

#[job]
async gen fn sweep() {}

fn main() {}
