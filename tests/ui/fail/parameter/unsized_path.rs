use jobs::job;

#[job]
async fn sweep(under: std::path::Path) {
    drop(under.exists());
}

fn main() {
    let _ = sweep { under: "/tmp".into() };
}
