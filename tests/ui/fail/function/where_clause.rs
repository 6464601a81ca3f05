use jobs::job;

#[job]
async fn sweep()
where
    String: Clone,
{
}

fn main() {
    let _ = sweep {};
}
