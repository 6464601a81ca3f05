use jobs::job;

#[job]
fn sweep(self, count: u32) -> u32 {
    self.count + count
}

fn main() {}
