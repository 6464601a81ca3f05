use jobs::job;

#[job]
trait Sweep {}

impl Sweep for u8 {}

fn main() {}
