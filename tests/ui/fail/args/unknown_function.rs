use jobs::job;

#[job(every = "1h", args(to = lookup("ops")))]
async fn sweep(to: String) {
    let _ = to;
}

fn main() {}
