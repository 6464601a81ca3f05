use jobs::job;

#[job(unique = 10m)]
async fn send(to: String, order: u64) {
    drop((to, order));
}

fn main() {
    let _ = send { to: String::new(), order: 7 };
}
