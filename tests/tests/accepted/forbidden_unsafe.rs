//! A crate that forbids `unsafe` code may have jobs.
#![forbid(unsafe_code)]

#[jobs::job(every = "1h")]
async fn sweep(#[default] text: String) {
    drop(text);
}

#[test]
fn accepted() {
    let _ = sweep { text: String::new() };
}
