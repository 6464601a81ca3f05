//! What a job says about its own failure: try again then, or never.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{Attempt, BoxError, JobContext, Jobs, Outcome, RunHandle, job, retry_in};
use support::{HOUR, MINUTE, SECOND, clock, config};

type Seen = Arc<Mutex<Vec<u32>>>;

/// An error that hides what it was made of.
#[derive(Debug)]
struct Opaque;

impl std::fmt::Display for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("opaque")
    }
}

impl std::error::Error for Opaque {}

async fn deep() -> Result<(), Opaque> {
    tokio::task::yield_now().await;
    Err(jobs::retry_in(MINUTE * 7)).map_err(|_: jobs::Steered| Opaque)
}

fn deep_in_fn() -> Opaque {
    let _ = jobs::discard("no more");
    Opaque
}

/// Says something at its first attempt. The backoff would be 1 s.
#[job(retries = 2, backoff = "1s", timeout = "5m")]
async fn says(#[state] seen: &Seen, cx: &JobContext, what: String) -> Result<(), BoxError> {
    seen.lock().unwrap().push(cx.attempt());
    if cx.attempt() > 1 {
        return Err("not yet".into());
    }
    match what.as_str() {
        "retry" => Err(retry_in(HOUR))?,
        "retry by context" => return Err(cx.retry_in(HOUR).into()),
        "deep" => deep().await?,
        "at once" => Err(cx.retry_in(Duration::ZERO))?,
        "discard" => return Err(jobs::discard("no such address").into()),
        "discard by context" => {
            cx.discard("no such address");
            return Err("550".into());
        }
        "the last word" => {
            cx.discard("never mind");
            return Err(cx.retry_in(HOUR).into());
        }
        "and succeeds" => drop(jobs::discard("not meant")),
        "and panics" => panic!("{}", cx.discard("not meant")),
        "and hangs" => {
            cx.discard("not meant");
            std::future::pending::<()>().await;
        }
        _ => unreachable!(),
    }
    Ok(())
}

#[job(retries = 2, backoff = "1s")]
fn says_in_fn(cx: &JobContext, discards: bool) -> Result<(), Opaque> {
    if discards {
        return Err(deep_in_fn());
    }
    if cx.attempt() == 1 {
        jobs::retry_in(MINUTE * 3);
        return Err(Opaque);
    }
    Ok(())
}

async fn started() -> (Jobs, Seen, jobs::testing::TestClock) {
    let (clock, seen) = (clock("2026-03-02 12:00:00"), Seen::default());
    let jobs = jobs::start(config(&clock).pool(1).state(Arc::clone(&seen))).await.unwrap();
    (jobs, seen, clock)
}

async fn said(jobs: &Jobs, what: &str) -> (Outcome, Vec<Attempt>, RunHandle) {
    let run = jobs.now(says { what: what.to_owned() }).await.unwrap();
    (run.wait().await, run.attempts(), run)
}

fn waited(attempts: &[Attempt]) -> Vec<i64> {
    attempts.windows(2).map(|pair| (pair[1].started_at - pair[0].finished_at).num_seconds()).collect()
}

fn failed(message: &str) -> Outcome {
    Outcome::Failed(message.to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_wait_of_this_failure_is_the_one_that_was_said() {
    let (jobs, ..) = started().await;
    let cases = [
        ("retry", 3600, "to be tried again in 1h"),
        ("retry by context", 3600, "to be tried again in 1h"),
        ("deep", 420, "opaque"),
        ("at once", 0, "to be tried again at once"),
        ("the last word", 3600, "to be tried again in 1h"),
    ];
    for (what, wait, message) in cases {
        let (outcome, attempts, _) = said(&jobs, what).await;
        assert_eq!(outcome, failed("not yet"), "{what}: it gives no attempt on top");
        assert_eq!(attempts.len(), 3, "{what}");
        assert_eq!(attempts[0].outcome, failed(message), "{what}");
        let waited = waited(&attempts);
        assert_eq!(waited[0], wait, "{what}");
        assert!((0..=1).contains(&waited[1]), "{what}: the next wait is the backoff's: {waited:?}");
    }
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_discarded_is_not_tried_again() {
    let (jobs, seen, _clock) = started().await;
    for (what, message) in [("discard", "discarded: no such address"), ("discard by context", "550")] {
        let (outcome, attempts, run) = said(&jobs, what).await;
        assert_eq!(outcome, Outcome::Discarded("no such address".into()), "{what}");
        assert_eq!(outcome.to_string(), "discarded: no such address");
        assert_eq!(
            (outcome.as_str(), outcome.message(), outcome.is_success()),
            ("discarded", Some("no such address"), false)
        );
        assert_eq!((attempts.len(), &attempts[0].outcome), (1, &failed(message)), "{what}");
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), [1], "{what}");
        let previous = jobs.snapshot().job("says").unwrap().previous.clone().unwrap();
        assert_eq!((previous.id, previous.outcome), (run.id(), outcome));
    }
    jobs.shutdown().await;
}

/// It holds when the attempt returns an error, and for that attempt alone.
#[tokio::test(start_paused = true)]
async fn nothing_comes_of_it_otherwise() {
    let (jobs, ..) = started().await;
    let (outcome, attempts, _) = said(&jobs, "and succeeds").await;
    assert_eq!((outcome, attempts.len()), (Outcome::Succeeded, 1));
    let (outcome, attempts, _) = said(&jobs, "and panics").await;
    assert_eq!((outcome, attempts.len()), (failed("not yet"), 3));
    assert_eq!(attempts[0].outcome, Outcome::Panicked("discarded: not meant".into()));
    let (outcome, attempts, _) = said(&jobs, "and hangs").await;
    assert_eq!((outcome, attempts.len()), (failed("not yet"), 3));
    assert_eq!(attempts[0].outcome, Outcome::TimedOut(MINUTE * 5));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn plain_functions_say_it_too() {
    let (jobs, _, clock) = started().await;
    let run = jobs.now(says_in_fn { discards: true }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Discarded("no more".into()));
    assert_eq!(run.attempts()[0].outcome, failed("opaque"));
    let run = jobs.now(says_in_fn { discards: false }).await.unwrap();
    while run.attempts().is_empty() {
        tokio::task::yield_now().await;
    }
    clock.advance(MINUTE * 3 - SECOND).await;
    assert_eq!(run.attempts().len(), 1);
    clock.advance(SECOND * 2).await;
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(waited(&run.attempts()), [180]);
    jobs.shutdown().await;
}

/// A task that a job has spawned is no part of it, and learns so.
#[tokio::test(start_paused = true)]
async fn outside_a_job_the_error_says_so() {
    let error = jobs::retry_in(SECOND).to_string();
    assert_eq!(
        error,
        "`jobs::retry_in` was called outside a job and does nothing; in a task that a job has spawned, call \
         `retry_in` of its `JobContext`"
    );
    let (jobs, ..) = started().await;
    let spawns = jobs::func("spawns", || async {
        let handle = tokio::runtime::Handle::current();
        let said = handle.spawn(async { jobs::discard("lost").to_string() }).await;
        Err::<(), _>(said.unwrap())
    });
    let run = jobs.now(spawns).await.unwrap();
    while run.attempts().is_empty() {
        tokio::task::yield_now().await;
    }
    let told = run.attempts()[0].outcome.to_string();
    assert!(told.starts_with("failed: `jobs::discard` was called outside a job"), "{told}");
    assert!(run.cancel().await, "it waits to be tried again");
    jobs.shutdown().await;
}
