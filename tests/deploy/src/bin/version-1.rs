//! The version that is replaced. Beside each job stands what becomes of it.

use std::time::Duration;

use jobs::{Jobs, job};
use jobs_tests_deploy::{Diary, Submitting};

const VERSION: u32 = 1;

/// Stays, and is given another argument.
#[job]
async fn note(#[state] diary: &Diary, cx: &jobs::JobContext, number: u64) {
    assert!(number > 0);
    diary.begun(cx, VERSION);
}

/// Stays, with an argument of another type.
#[job]
async fn reckon(#[state] diary: &Diary, cx: &jobs::JobContext, amount: u64) {
    assert!(amount > 0);
    diary.begun(cx, VERSION);
}

/// Is renamed.
#[job]
async fn post_mail(#[state] diary: &Diary, cx: &jobs::JobContext, number: u64) {
    assert!(number > 0);
    diary.begun(cx, VERSION);
}

/// Is removed.
#[job]
async fn report(#[state] diary: &Diary, cx: &jobs::JobContext, number: u64) {
    assert!(number > 0);
    diary.begun(cx, VERSION);
}

/// Stays as it is.
#[job(every = "1s", key = "beat", overlap = "allow")]
async fn steady(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Is renamed, and goes on as it is.
#[job(every = "1s", key = "beat")]
async fn old_name(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has another schedule, under the same key.
#[job(schedule = "* * * * * *", key = "beat")]
async fn changing(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has another schedule, and no key.
#[job(schedule = "* * * * * *")]
async fn rewritten(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Has the same schedule under another key.
#[job(schedule = "* * * * * *", key = "one")]
async fn rekeyed(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Loses its schedule, to `taking`.
#[job(schedule = "* * * * * *", key = "moves")]
async fn giving(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Takes over the schedule of `giving`.
#[job]
async fn taking(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

/// Is removed, with its schedule.
#[job(schedule = "* * * * * *", key = "beat")]
async fn leaving(#[state] diary: &Diary, cx: &jobs::JobContext) {
    diary.begun(cx, VERSION);
}

fn submit(jobs: &Jobs, number: u64) -> Vec<(&'static str, Submitting)> {
    // The last of them come due when the last node of this version has gone.
    let later = Duration::from_secs(3);
    vec![
        ("note", Box::pin(jobs.now(note { number }).into_future())),
        ("reckon", Box::pin(jobs.now(reckon { amount: number }).into_future())),
        ("post_mail", Box::pin(jobs.now(post_mail { number }).into_future())),
        ("report", Box::pin(jobs.after(later, report { number }).into_future())),
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    jobs_tests_deploy::run(submit)
}
