//! The crate by another name.
#![forbid(unsafe_code)]
extern crate jobs as background;

#[background::job(every = "24h", crate = background)]
#[background::job(schedule = "@daily", args(count = 1))]
async fn sweep(cx: &background::JobContext, #[default] count: u8) {
    let _ = (cx, count);
}

#[background::job(every = "24h", crate = ::jobs)]
fn by_its_own_name() {}

#[background::job(every = "24h", crate = "background")]
fn in_quotes() {}

#[test]
fn accepted() {
    let _ = (sweep { count: 1 }, by_its_own_name {}, in_quotes {});
}
