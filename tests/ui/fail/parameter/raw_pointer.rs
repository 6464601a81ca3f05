use jobs::job;

#[job]
async fn mail(to: *const u8) {
    drop(to);
}

fn main() {}
