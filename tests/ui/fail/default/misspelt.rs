use jobs::job;

#[job(every = "1h")]
async fn mail(#[defualt = 3] count: u32) {
    drop(count);
}

fn main() {
    let _ = mail { count: 1 };
}
