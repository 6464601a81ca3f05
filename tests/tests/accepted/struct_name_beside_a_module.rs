//! `struct_name` frees the function's name for a module, a struct or an enum.
#![allow(dead_code, non_camel_case_types)]
use jobs::{Job, job};

mod sweep {
    pub(crate) fn rooms() {}
}

#[job(every = "1h", struct_name = SweepJob)]
async fn sweep(#[default] floor: u32) {
    let _ = floor;
    sweep::rooms();
}

struct mail {
    to: String,
}

#[job(every = "1h", struct_name = MailJob)]
async fn mail(#[default] count: u32) {
    let _ = count;
}

enum paint {
    Red,
}

#[job(startup, struct_name = PaintJob)]
fn paint() {}

#[test]
fn accepted() {
    let _ = (SweepJob { floor: 1 }, MailJob { count: 1 }, PaintJob {});
    let _ = (mail { to: String::new() }, paint::Red);
    assert_eq!([SweepJob::NAME, MailJob::NAME, PaintJob::NAME], ["sweep", "mail", "paint"]);
}
