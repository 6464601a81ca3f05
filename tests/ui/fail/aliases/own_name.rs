use jobs::job;

#[job(aliases = ["sweep"])]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
