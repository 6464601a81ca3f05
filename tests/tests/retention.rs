//! How long runs are kept that have ended.

use std::sync::Arc;
use std::time::Duration;

use jobs::testing::{self, TestJobs};
use jobs::{Config, Jobs, job};

const MINUTE: Duration = Duration::from_secs(60);

#[job]
async fn ends(_number: u32) {}

fn config(minutes: u32) -> Config {
    Config::default().retention(MINUTE * minutes)
}

async fn twenty_in_twenty_minutes() -> TestJobs {
    let jobs = testing::start(config(60)).await;
    for number in 0..20 {
        jobs.now(ends { _number: number }).await.unwrap().wait().await;
        jobs.advance(MINUTE).await;
    }
    jobs
}

async fn kept(jobs: &Jobs) -> usize {
    jobs.runs().job("ends").limit(1000).list().await.len()
}

#[tokio::test]
async fn runs_are_forgotten_by_time_alone() {
    let jobs = twenty_in_twenty_minutes().await;
    assert_eq!(kept(&jobs).await, 20);
    jobs.advance(MINUTE * 49 - Duration::from_secs(30)).await;
    assert_eq!(kept(&jobs).await, 11, "those of the last hour");
    jobs.advance(MINUTE * 60).await;
    assert_eq!(kept(&jobs).await, 1, "the very last");
}

#[tokio::test]
async fn the_values_of_runs_that_are_forgotten_are_dropped() {
    let value = Arc::new(());
    let jobs = testing::start(config(60)).await;
    for _ in 0..2 {
        let held = Arc::clone(&value);
        let holds = move || {
            let _held = Arc::clone(&held);
            async {}
        };
        jobs.now(jobs::func("holds", holds)).await.unwrap().wait().await;
    }
    jobs.advance(MINUTE * 120).await;
    assert_eq!(Arc::strong_count(&value), 1);
}

#[tokio::test]
async fn a_reload_with_a_shorter_retention_forgets_what_is_too_old_by_it() {
    let jobs = twenty_in_twenty_minutes().await;
    jobs.reload(config(10)).await.unwrap();
    jobs.advance(Duration::from_secs(1)).await;
    assert_eq!(kept(&jobs).await, 9);
    jobs.reload(config(10).retention_count(3)).await.unwrap();
    jobs.advance(Duration::from_secs(1)).await;
    assert_eq!(kept(&jobs).await, 3);
}

#[tokio::test]
async fn the_clock_that_is_set_forward_makes_runs_older() {
    let jobs = twenty_in_twenty_minutes().await;
    jobs.step(chrono::TimeDelta::hours(3)).await;
    jobs.advance(Duration::from_secs(1)).await;
    assert_eq!(kept(&jobs).await, 1);
}
