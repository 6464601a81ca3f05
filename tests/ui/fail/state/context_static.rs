use jobs::job;

#[job]
async fn sweep(cx: &'static jobs::JobContext) {
    let _ = cx;
}

fn main() {
    let _ = sweep {};
}
