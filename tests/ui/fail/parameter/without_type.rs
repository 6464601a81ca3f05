use jobs::job;

#[job]
async fn mail(to) {
    drop(to);
}

fn main() {}
