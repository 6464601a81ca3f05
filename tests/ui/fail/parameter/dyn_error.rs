use jobs::job;

#[job]
async fn report(error: Box<dyn std::error::Error>) {
    drop(error);
}

fn main() {}
