use jobs::job;

#[job(schedule = "@daily", args())]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
