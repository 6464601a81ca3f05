use jobs::job;

#[allow(non_upper_case_globals)]
const sweep: u32 = 3;

#[job]
async fn sweep() {}

fn main() {}
