use jobs::job;

#[job]
async fn mail(then: fn(u32)) {
    then(1);
}

fn main() {
    let _ = mail { then: drop };
}
