use jobs::job;

#[job(every = "1h")]
async fn sweep(#[default = None] count: u8) {
    let _ = count;
}

fn main() {
    let _ = sweep { count: 1 };
}
