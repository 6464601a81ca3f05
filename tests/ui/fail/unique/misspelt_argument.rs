use jobs::job;

#[job(unique(too, order))]
async fn send(to: String, order: u64) {
    drop((to, order));
}

fn main() {
    let _ = send { to: String::new(), order: 7 };
}
