use jobs::job;

#[job(every = "1h")]
pub(crate) async fn mail(#[default] to: Box<str>, count: u32 = 3) {
    let _ = (to, count);
}

fn main() {
    let _ = mail { to: "ops".into(), count: 1 };
}
