use jobs::job;

#[job(queue = "Mail", priority = 200, concurrency = 0, rate = "x", unique(too), jitter = "x", every = "1h")]
async fn send(to: String, order: u64) {
    drop((to, order));
}

fn main() {
    let _ = send { to: String::new(), order: 7 };
}
