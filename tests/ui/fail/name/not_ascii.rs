use jobs::job;

#[job(every = "1h")]
async fn größe() {}

fn main() {
    let _ = größe {};
}
