use jobs::job;

#[job]
async fn mail(to: Box<dyn std::any::Any>) {
    drop(to);
}

fn main() {}
