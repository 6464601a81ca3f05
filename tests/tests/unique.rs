//! Submissions that are one: with the same arguments while the first is live, in one window of time, or in some of the
//! arguments.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use jobs::testing::TestClock;
use jobs::{BoxError, Jobs, Outcome, RunState, func, job};
use serde::{Deserialize, Serialize, Serializer};
use support::{DAY, HOUR, MINUTE, SECOND, clock, config};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Gate {
    go: Notify,
    fails: AtomicBool,
    ran: AtomicU32,
}

impl Gate {
    async fn pass(&self) -> Result<(), BoxError> {
        self.go.notified().await;
        self.ran.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) { Err("no".into()) } else { Ok(()) }
    }
}

type State = Arc<Gate>;

#[job(unique, retries = 1, backoff = "1m")]
async fn index(#[state] gate: &State, page: u64, #[redact] token: String) -> Result<(), BoxError> {
    let _ = (page, token);
    gate.pass().await
}

#[job(unique(to, order), retries = 0)]
async fn remind(#[state] gate: &State, to: String, order: u64, text: String) -> Result<(), BoxError> {
    let _ = (to, order, text);
    gate.pass().await
}

#[job(unique = "1h", retries = 0)]
async fn digest(#[state] gate: &State, to: String) -> Result<(), BoxError> {
    let _ = to;
    gate.pass().await
}

#[job(schedule = "@hourly", unique)]
async fn tidy(#[state] gate: &State) -> Result<(), BoxError> {
    gate.pass().await
}

#[job]
async fn plain(#[state] gate: &State, number: u64) -> Result<(), BoxError> {
    let _ = number;
    gate.pass().await
}

/// What cannot be written as JSON.
#[derive(Debug, Clone, Deserialize)]
struct Secret;

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("a secret"))
    }
}

#[job(unique)]
async fn keeps(secret: Secret) {
    let _ = secret;
}

async fn start() -> (Jobs, State, TestClock) {
    let (clock, gate) = (clock("2026-03-02 12:10:00"), State::default());
    let jobs = jobs::start(config(&clock).pool(10).state(Arc::clone(&gate))).await.unwrap();
    (jobs, gate, clock)
}

fn page(page: u64) -> index {
    index { page, token: "t".into() }
}

fn reminder(to: &str, order: u64, text: &str) -> remind {
    remind { to: to.into(), order, text: text.into() }
}

#[tokio::test(start_paused = true)]
async fn one_run_is_live_for_a_set_of_arguments() {
    let (jobs, gate, clock) = start().await;
    let first = jobs.after(SECOND, page(1)).await.unwrap();
    assert!(!first.is_duplicate());
    let mut waiters = Vec::new();
    // While it is delayed, runs, and waits to be tried again.
    for _ in 0..3 {
        for again in [jobs.now(page(1)).await.unwrap(), jobs.after(DAY, page(1)).await.unwrap()] {
            assert!(again.is_duplicate());
            assert_eq!(again.id(), first.id());
            waiters.push(again);
        }
        clock.advance(SECOND * 2).await;
        gate.fails.store(true, Ordering::SeqCst);
        gate.go.notify_waiters();
    }
    let other = jobs.now(page(2)).await.unwrap();
    let token = jobs.now(index { page: 1, token: "other".into() }).await.unwrap();
    assert!(!other.is_duplicate() && !token.is_duplicate(), "what is redacted counts too");
    for handle in [&other, &token] {
        assert!(handle.cancel().await);
    }
    gate.fails.store(false, Ordering::SeqCst);
    clock.advance(MINUTE * 2).await;
    gate.go.notify_waiters();
    for waiter in waiters {
        assert_eq!(waiter.wait().await, Outcome::Succeeded, "it waits for the run that there is");
    }
    let next = jobs.now(page(1)).await.unwrap();
    assert!(!next.is_duplicate() && next.id() != first.id(), "the first has ended");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn some_arguments_are_compared() {
    let (jobs, gate, _clock) = start().await;
    let first = jobs.now(reminder("ada", 7, "please")).await.unwrap();
    assert!(jobs.now(reminder("ada", 7, "at last")).await.unwrap().is_duplicate());
    assert!(!jobs.now(reminder("ada", 8, "please")).await.unwrap().is_duplicate());
    assert!(!jobs.now(reminder("bob", 7, "please")).await.unwrap().is_duplicate());
    while jobs.snapshot().pool.running < 3 {
        tokio::task::yield_now().await;
    }
    gate.go.notify_waiters();
    assert!(first.wait().await.is_success());
    assert!(!jobs.now(reminder("ada", 7, "thank you")).await.unwrap().is_duplicate());
    assert_eq!(gate.ran.load(Ordering::SeqCst), 3);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_window_has_one_run_that_succeeds() {
    let (jobs, gate, clock) = start().await;
    let submit = || jobs.now(digest { to: "ada".into() });
    let first = submit().await.unwrap();
    clock.advance(SECOND).await;
    gate.go.notify_waiters();
    assert!(first.wait().await.is_success());
    // 12:10 and a second. It stands to the end of the hour.
    clock.advance(MINUTE * 49).await;
    assert_eq!(submit().await.unwrap().id(), first.id());
    // What is due in the next hour belongs to that.
    let later = jobs.after(MINUTE * 10, digest { to: "ada".into() }).await.unwrap();
    assert!(!later.is_duplicate());
    clock.advance(MINUTE * 2).await;
    assert_eq!(submit().await.unwrap().id(), later.id(), "13:01, before it has begun");
    // One that fails makes room.
    gate.fails.store(true, Ordering::SeqCst);
    clock.advance(MINUTE * 10).await;
    gate.go.notify_waiters();
    assert!(!later.wait().await.is_success());
    let again = submit().await.unwrap();
    assert!(!again.is_duplicate());
    assert!(again.cancel().await && !again.wait().await.is_success());
    let once_more = submit().await.unwrap();
    assert!(!once_more.is_duplicate(), "so does one that is cancelled");
    // It goes on beyond its window, and the next has one of its own.
    clock.advance(HOUR).await;
    assert!(!submit().await.unwrap().is_duplicate());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_opens_no_window_again() {
    let (jobs, gate, clock) = start().await;
    let submit = || jobs.now(digest { to: "ada".into() });
    let first = submit().await.unwrap();
    clock.advance(MINUTE * 50).await;
    let second = submit().await.unwrap();
    assert!(!second.is_duplicate(), "13:00");
    clock.advance(SECOND).await;
    gate.go.notify_waiters();
    assert!(first.wait().await.is_success() && second.wait().await.is_success());
    clock.step(TimeDelta::minutes(-1)).await;
    assert_eq!(submit().await.unwrap().id(), first.id());
    clock.advance(MINUTE).await;
    assert_eq!(submit().await.unwrap().id(), second.id());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_submission_may_say_it_itself() {
    let (jobs, gate, clock) = start().await;
    let first = jobs.now(plain { number: 1 }).unique().await.unwrap();
    assert!(jobs.now(plain { number: 1 }).unique().await.unwrap().is_duplicate());
    assert!(!jobs.now(plain { number: 2 }).unique().await.unwrap().is_duplicate());
    let unasked = jobs.now(plain { number: 1 }).await.unwrap();
    assert!(!unasked.is_duplicate() && unasked.id() != first.id());
    clock.advance(SECOND).await;
    gate.go.notify_waiters();
    first.wait().await;
    assert!(!jobs.now(plain { number: 1 }).unique_per(MINUTE).await.unwrap().is_duplicate());
    assert!(jobs.now(plain { number: 1 }).unique_per(MINUTE).await.unwrap().is_duplicate());
    assert!(!jobs.now(plain { number: 1 }).unique_per(HOUR).await.unwrap().is_duplicate());
    let error = jobs.now(plain { number: 1 }).unique_per(Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("a window of no time"), "{error}");

    let waits = |gate: &State| {
        let gate = Arc::clone(gate);
        func("closure", move || {
            let gate = Arc::clone(&gate);
            async move { gate.pass().await }
        })
    };
    assert!(!jobs.now(waits(&gate)).unique().await.unwrap().is_duplicate());
    assert!(jobs.now(waits(&gate)).unique().await.unwrap().is_duplicate(), "by its name");
    jobs.shutdown().await;
}

/// Slots have their overlap policy, which is another matter.
#[tokio::test(start_paused = true)]
async fn slots_stand_for_nothing_and_run_now_does() {
    let (jobs, gate, clock) = start().await;
    clock.advance(HOUR).await;
    let live = || async { jobs.runs().job("tidy").state(RunState::Running).list().await.len() };
    assert_eq!(live().await, 1, "the slot");
    let asked = jobs.run_now("tidy").await.unwrap();
    assert!(!asked.is_duplicate());
    assert_eq!(jobs.run_now("tidy").await.unwrap().id(), asked.id());
    assert!(jobs.now(tidy {}).await.unwrap().is_duplicate());
    clock.advance(SECOND).await;
    assert_eq!(live().await, 2);
    gate.go.notify_waiters();
    asked.wait().await;
    assert!(!jobs.run_now("tidy").await.unwrap().is_duplicate());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_compared_is_refused() {
    let (jobs, _gate, _clock) = start().await;
    let error = jobs.now(keeps { secret: Secret }).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the submissions of `keeps` cannot be compared: these arguments cannot be written as JSON"
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_has_the_last_word() {
    let (clock, gate) = (clock("2026-03-02 12:10:00"), State::default());
    let config = config(&clock)
        .state(gate)
        .job("index", |job| job.unique(false))
        .job("plain", |job| job.unique_per(HOUR));
    let jobs = jobs::start(config).await.unwrap();
    jobs.now(page(1)).await.unwrap();
    assert!(!jobs.now(page(1)).await.unwrap().is_duplicate());
    jobs.now(plain { number: 1 }).await.unwrap();
    assert!(jobs.now(plain { number: 1 }).await.unwrap().is_duplicate());
    jobs.shutdown().await;
}
