use jobs::job;

#[job(every = "1h")]
#[allow(non_snake_case)]
async fn sweepAll() {}

fn main() {
    let _ = sweepAll {};
}
