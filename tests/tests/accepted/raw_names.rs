//! Raw names are stripped wherever they are shown or stored.
use jobs::{Job, job};

/// A keyword.
#[job(every = "1h", args(r#match = "x", r#in = 1))]
async fn r#type(r#match: String, r#in: u8, #[default] r#async: bool) {
    let _ = (r#match, r#in, r#async);
}

#[test]
fn accepted() {
    assert_eq!(r#type::NAME, "type");
    let _ = r#type { r#match: String::new(), r#in: 1, r#async: true };
}
