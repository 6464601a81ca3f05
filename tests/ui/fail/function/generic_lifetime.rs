use jobs::job;

#[job]
async fn sweep<'a>(value: &'a str) {
    let _ = value;
}

fn main() {}
