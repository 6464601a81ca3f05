use jobs::job;

#[job]
async fn mail(to: dyn std::fmt::Display) {
    drop(to.to_string());
}

fn main() {}
