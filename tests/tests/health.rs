//! Whether an instance does its work, and since when it does not.

mod support;

use std::time::Duration;

use jobs::Trouble;
use support::{Log, MINUTE, clock, config, note};

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
