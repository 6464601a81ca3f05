//! The version that replaces the first.

use std::time::Duration;

use jobs::{Jobs, job};
use jobs_tests_deploy::{Diary, Submitting};

const VERSION: u32 = 2;

/// Has another argument.
#[job]
async fn note(
    #[state] diary: &Diary,
    cx: &jobs::JobContext,
    number: u64,
    #[default = "none"] remark: String,
) {
    assert!(number > 0 && !remark.is_empty());
    diary.begun(cx, VERSION);
}

/// Has an argument of another type.
#[job]
async fn reckon(#[state] diary: &Diary, cx: &jobs::JobContext, amount: String) {
    assert!(!amount.is_empty());
    diary.begun(cx, VERSION);
}

/// Was renamed.
#[job(aliases = ["post_mail"])]
async fn send_mail(#[state] diary: &Diary, cx: &jobs::JobContext, number: u64) {
    assert!(number > 0);
    diary.begun(cx, VERSION);
}

/// Is new.
#[job]
async fn invoice(#[state] diary: &Diary, cx: &jobs::JobContext, number: u64) {
    assert!(number > 0);
    diary.begun(cx, VERSION);
}

/// Is as it was.
#[job(every = "1s", key = "beat", overlap = "allow")]
async fn steady(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Was renamed.
#[job(every = "1s", key = "beat", aliases = ["old_name"])]
async fn new_name(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has another schedule, under the same key.
#[job(schedule = "*/2 * * * * *", key = "beat")]
async fn changing(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has another schedule, and no key.
#[job(schedule = "*/2 * * * * *")]
async fn rewritten(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has the same schedule under another key.
#[job(schedule = "* * * * * *", key = "two")]
async fn rekeyed(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has lost its schedule.
#[job]
async fn giving(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has taken it over.
#[job(schedule = "* * * * * *", key = "moves")]
async fn taking(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Is new.
#[job(schedule = "* * * * * *", key = "beat")]
async fn coming(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

fn submit(jobs: &Jobs, number: u64) -> Vec<(&'static str, Submitting)> {
    // The last of them come due when the last node of this version has gone.
    let later = Duration::from_secs(3);
    vec![
        ("note", Box::pin(jobs.now(note { number, remark: "two".to_owned() }).into_future())),
        ("reckon", Box::pin(jobs.now(reckon { amount: format!("{number} kr") }).into_future())),
        ("send_mail", Box::pin(jobs.after(later, send_mail { number }).into_future())),
        ("invoice", Box::pin(jobs.after(later, invoice { number }).into_future())),
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    jobs_tests_deploy::run(submit)
}
