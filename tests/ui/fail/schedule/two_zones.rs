use jobs::job;

#[job(schedule = "TZ=Europe/Oslo TZ=Europe/Paris 0 0 3 * * *")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
