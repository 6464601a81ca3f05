//! Whether an instance does its work, and since when it does not.

mod support;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobs::testing::TestClock;
use jobs::{Config, Outcome, Trouble, func, job};
use support::{Log, MINUTE, SECOND, clock, note};

/// Whether [`held`] may return.
type LetGo = Arc<AtomicBool>;

/// Whether a thread has begun with [`held`].
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Held until the test lets it go.
#[job(retries = 0, timeout = "30s")]
fn held(#[state] let_go: &LetGo) {
    BEGUN.store(true, Ordering::SeqCst);
    while !let_go.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

fn config(clock: &TestClock) -> Config {
    support::config(clock).state(LetGo::default())
}

/// With a blocking thread at work, virtual time stands still unless it is moved by hand.
async fn pass(seconds: u64) {
    for _ in 0..seconds {
        tokio::time::advance(SECOND).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_instance_and_a_busy_one_are_well() {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let jobs = jobs::start(config(&clock).state(log.clone())).await.unwrap();
    assert!(jobs.health().is_ok());
    clock.advance(MINUTE * 60).await;
    let health = jobs.health();
    assert!(health.is_ok() && health.conditions.is_empty(), "{health}");
    assert_eq!((health.to_string(), health.checked_at), ("ok".to_owned(), clock.now()));
    jobs.schedule("* * * * * *", note("second")).await.unwrap();
    clock.advance(MINUTE).await;
    assert!(jobs.health().is_ok(), "{}", jobs.health());
    // A clock that is set, and a sleep, are no fault of anybody.
    clock.step(chrono::TimeDelta::hours(3)).await;
    assert!(jobs.health().is_ok(), "{}", jobs.health());
    clock.step(chrono::TimeDelta::hours(-5)).await;
    assert!(jobs.health().is_ok(), "{}", jobs.health());
    clock.suspend(MINUTE * 600).await;
    assert!(jobs.health().is_ok(), "{}", jobs.health());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_told_with_its_beginning() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    clock.advance(MINUTE).await;
    let begun = clock.now();
    jobs.shutdown().await;
    clock.advance(Duration::from_millis(1500)).await;
    let health = jobs.health();
    assert!(!health.is_ok());
    assert_eq!((health.conditions.len(), health.conditions[0].since), (1, begun));
    assert!(matches!(health.conditions[0].what, Trouble::ShutDown));
    assert_eq!(health.to_string(), "shut down, for 1s");
}

#[tokio::test(start_paused = true)]
async fn a_plain_function_that_outlasts_its_timeout_or_its_cancellation_is_stuck() {
    for cancelled in [false, true] {
        let (clock, let_go) = (clock("2026-03-02 12:00:00"), LetGo::default());
        let jobs = jobs::start(support::config(&clock).state(Arc::clone(&let_go))).await.unwrap();
        let run = jobs.now(held {}).await.unwrap();
        // Until then, it can be cancelled.
        while !BEGUN.swap(false, Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let mut since = clock.now() + chrono::TimeDelta::seconds(30);
        if cancelled {
            pass(5).await;
            since = clock.now();
            assert!(run.cancel().await);
            pass(5).await;
        } else {
            pass(35).await;
        }
        assert!(jobs.health().is_ok(), "it has some time to notice: {}", jobs.health());
        pass(6).await;
        let health = jobs.health();
        let [condition] = &*health.conditions else { panic!("{health}") };
        assert_eq!(health.to_string(), format!("run {} of held does not end, for 11s", run.id()));
        assert_eq!(condition.since.timestamp(), since.timestamp());
        assert!(matches!(&condition.what, Trouble::StuckRun { job, .. } if job == "held"));
        let_go.store(true, Ordering::SeqCst);
        let outcome = run.wait().await;
        assert!(matches!(outcome, Outcome::TimedOut(_) | Outcome::Succeeded), "{outcome}");
        assert!(jobs.health().is_ok());
        jobs.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_in_which_nothing_moves_is_overfull() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).pool(1).state(Log::default())).await.unwrap();
    let holds = jobs.now(func("holds", pending::<()>)).await.unwrap();
    clock.advance(SECOND).await;
    let first = jobs.now(note("first")).await.unwrap();
    clock.advance(SECOND * 30).await;
    let second = clock.now();
    jobs.now(note("second")).await.unwrap();
    clock.advance(SECOND * 29).await;
    assert!(jobs.health().is_ok());
    clock.advance(SECOND * 2).await;
    assert_eq!(jobs.health().to_string(), "2 runs wait for room in the pool, for 1m1s");
    // When the first is gone, the second counts.
    assert!(first.cancel().await);
    assert!(jobs.health().is_ok());
    clock.advance(SECOND * 30).await;
    let health = jobs.health();
    assert_eq!((health.conditions.len(), health.conditions[0].since), (1, second));
    assert!(matches!(health.conditions[0].what, Trouble::Backlog { waiting: 1, .. }), "{health}");
    assert!(holds.cancel().await);
    clock.advance(SECOND).await;
    assert!(jobs.health().is_ok());
}

#[job(rate = "1/1h")]
async fn rationed() {}

/// A queue that is full is named, and what its job holds back waits for no room.
#[tokio::test(start_paused = true)]
async fn a_full_queue_is_told_from_a_full_pool() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock).pool(3).queue("small", 1);
    let jobs = jobs::start(config).await.unwrap();
    let hangs = || func("hangs", pending::<()>);
    jobs.now(hangs()).queue("idle").await.unwrap();
    jobs.pause_queue("idle").await.unwrap();
    for _ in 0..3 {
        jobs.now(hangs()).queue("small").await.unwrap();
        jobs.now(rationed {}).await.unwrap();
    }
    clock.advance(SECOND * 61).await;
    assert_eq!(jobs.health().to_string(), "2 runs wait for room in the queue small, for 1m1s");
    for _ in 0..3 {
        jobs.now(hangs()).await.unwrap();
    }
    clock.advance(SECOND * 61).await;
    let told = || jobs.health().conditions.into_iter().map(|condition| condition.what.to_string());
    // With it wait those of its queue that the rate holds back as well.
    let full = ["3 runs wait for room in the pool", "2 runs wait for room in the queue small"];
    assert_eq!(told().collect::<Vec<_>>(), full);
    jobs.resume_queue("idle").await.unwrap();
    assert!(told().eq(["4 runs wait for room in the pool", full[1]]));
}
