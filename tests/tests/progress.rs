//! What a run says of itself while it goes on: how far it is, and its log.

mod support;

use std::sync::Arc;
use std::time::Duration;

use jobs::testing::TestClock;
use jobs::{BoxError, JobContext, Jobs, Outcome, Progress, RunHandle, job};
use support::{SECOND, clock, config};
use tokio::sync::Notify;

/// Goes one step further whenever it is told.
type Step = Arc<Notify>;

#[job(retries = 1, backoff = "1s")]
async fn steps(#[state] step: &Step, cx: &JobContext, fails: bool) -> Result<(), BoxError> {
    for done in 1..=3 {
        cx.log(format!("step {done}"));
        jobs::progress(done, 3);
        step.notified().await;
    }
    if fails && cx.attempt() == 1 { Err("the last step".into()) } else { Ok(()) }
}

#[job]
async fn silent() {}

#[job]
fn plain(cx: &JobContext) {
    jobs::log("by itself");
    jobs::progress(5, 0);
    cx.log("by its context");
}

#[job]
async fn chatty(lines: u64) {
    for line in 1..=lines {
        jobs::log(format!("{line}: {}", "x".repeat(5000)));
    }
}

/// Lets a task write to the log when it is over.
#[job]
async fn spawns(#[state] step: &Step, cx: &JobContext) {
    let step = Arc::clone(step);
    let cx = cx.clone();
    #[expect(clippy::disallowed_methods, reason = "a job may")]
    tokio::spawn(async move {
        jobs::log("a task belongs to no attempt");
        cx.log("by the context");
        step.notified().await;
        cx.log("too late");
        cx.progress(1, 1);
        step.notify_one();
    });
    tokio::task::yield_now().await;
}

async fn start() -> (Jobs, Step, TestClock) {
    let (clock, step) = (clock("2026-03-02 12:00:00"), Step::default());
    let jobs = jobs::start(config(&clock).pool(1).state(Arc::clone(&step))).await.unwrap();
    (jobs, step, clock)
}

fn texts(run: &RunHandle) -> Vec<String> {
    run.log().into_iter().map(|line| format!("{}/{} {}", line.number, line.attempt, line.text)).collect()
}

fn done(run: &RunHandle) -> Option<(u64, u64)> {
    run.progress().map(|Progress { done, total, .. }| (done, total))
}

#[tokio::test(start_paused = true)]
async fn is_read_while_the_run_goes_on_and_afterwards() {
    let (jobs, step, clock) = start().await;
    let run = jobs.now(steps { fails: true }).await.unwrap();
    assert_eq!((done(&run), texts(&run).len()), (None, 0));
    let began = clock.now();
    clock.advance(SECOND).await;
    assert_eq!((done(&run), texts(&run)), (Some((1, 3)), vec!["1/1 step 1".to_owned()]));
    step.notify_one();
    clock.advance(SECOND).await;
    assert_eq!(done(&run), Some((2, 3)));
    let ages: Vec<_> = run.log().iter().map(|line| (line.at - began).num_seconds()).collect();
    assert_eq!(ages, [0, 1]);
    // Between two attempts it is that of the first.
    for _ in 0..2 {
        step.notify_one();
        clock.advance(Duration::from_millis(10)).await;
    }
    assert_eq!((run.attempts().len(), done(&run), texts(&run).len()), (1, Some((3, 3)), 3));
    clock.advance(SECOND * 2).await;
    assert_eq!((done(&run), texts(&run).len()), (Some((1, 3)), 4), "of the second");
    for _ in 0..3 {
        step.notify_one();
        clock.advance(Duration::from_millis(10)).await;
    }
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(done(&run), Some((3, 3)));
    assert_eq!(
        texts(&run),
        ["1/1 step 1", "2/1 step 2", "3/1 step 3", "4/2 step 1", "5/2 step 2", "6/2 step 3"]
    );
    // The worker has one desk, and the next run finds it empty.
    let next = jobs.now(silent {}).await.unwrap();
    assert_eq!(next.wait().await, Outcome::Succeeded);
    assert_eq!((done(&next), texts(&next).len()), (None, 0));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_plain_function_says_it_too() {
    let (jobs, _step, _clock) = start().await;
    let run = jobs.now(plain {}).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(
        (done(&run), texts(&run)),
        (Some((5, 0)), vec!["1/1 by itself".into(), "2/1 by its context".into()])
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn of_many_lines_and_long_ones_a_part_is_kept() {
    let (jobs, _step, _clock) = start().await;
    let run = jobs.now(chatty { lines: 1000 }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let log = run.log();
    assert_eq!((log.len(), log[0].number, log[199].number), (200, 801, 1000));
    assert!(
        log.iter()
            .all(|line| line.text.len() <= 1024 && line.text.starts_with(&format!("{}: x", line.number)))
    );
    assert!(log[0].text.ends_with("… (cut: it had 5005 bytes)"), "{}", log[0].text);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_outside_of_an_attempt_or_after_it_goes_nowhere() {
    jobs::log("outside");
    jobs::progress(1, 2);
    let (jobs, step, _clock) = start().await;
    let run = jobs.now(spawns {}).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let other = jobs.now(steps { fails: false }).await.unwrap();
    while done(&other).is_none() {
        tokio::task::yield_now().await;
    }
    // Both wait for this one: the task has come first.
    step.notify_one();
    while done(&other) != Some((2, 3)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(texts(&run), ["1/1 by the context"]);
    assert_eq!((done(&run), texts(&other)), (None, vec!["1/1 step 1".into(), "2/1 step 2".into()]));
    jobs.shutdown().await;
}
