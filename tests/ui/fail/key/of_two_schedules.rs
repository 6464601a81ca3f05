use jobs::job;

#[job(schedule = "@daily", key = "sweep")]
#[job(every = "1h", key = "sweep")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
