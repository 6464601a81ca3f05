use jobs::job;

#[job(unique = true)]
async fn send(to: String, order: u64) {
    drop((to, order));
}

fn main() {
    let _ = send { to: String::new(), order: 7 };
}
