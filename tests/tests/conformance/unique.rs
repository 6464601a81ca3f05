//! Submissions that are one.

use jobs::Outcome;
use jobs::testing::TestJobs;

use crate::fixture::{Fixture, SECOND};
use crate::jobs_of_the_suite::{flaky, work};

fn busy(tag: &str) -> work {
    work { tag: tag.to_owned(), takes: 20 * SECOND }
}

/// One whose `work` is unique.
async fn started(fx: &Fixture) -> TestJobs {
    fx.starting(fx.config().pool(1).job("work", |job| job.unique(true))).await
}

pub(crate) async fn the_same_arguments_are_one_run_while_it_is_live(fx: Fixture) {
    let test = started(&fx).await;
    let first = test.jobs().now(busy("a")).await.unwrap();
    let again = test.jobs().now(busy("a")).await.unwrap();
    let other = test.jobs().now(busy("b")).await.unwrap();
    assert_eq!((first.is_duplicate(), again.is_duplicate(), other.is_duplicate()), (false, true, false));
    assert_eq!(first.id(), again.id());
    // Queued before, and running now.
    test.advance(SECOND).await;
    assert_eq!(test.jobs().now(busy("a")).await.unwrap().id(), first.id());
    assert_eq!(again.wait().await, Outcome::Succeeded);
    let next = test.jobs().now(busy("a")).await.unwrap();
    assert!(!next.is_duplicate() && next.id() != first.id());
    test.idle().await;
    let begins: Vec<_> = fx.diary.take().into_iter().filter(|line| line.starts_with("begin")).collect();
    assert_eq!(begins, ["begin a 00:00", "begin b 00:20", "begin a 00:40"]);
    test.finish().await;
}

pub(crate) async fn a_delayed_run_and_one_that_is_tried_again_are_live(fx: Fixture) {
    let test = fx.start().await;
    let delayed = test.jobs().after(60 * SECOND, busy("a")).unique().await.unwrap();
    assert_eq!(test.jobs().now(busy("a")).unique().await.unwrap().id(), delayed.id());
    let flaky = || flaky { how: "error".into(), succeeds: 2 };
    let tried = test.jobs().now(flaky()).unique().await.unwrap();
    test.settle().await;
    assert_eq!(fx.diary.take(), ["error 1"]);
    assert_eq!(test.jobs().now(flaky()).unique().await.unwrap().id(), tried.id());
    tried.wait().await;
    assert_ne!(test.jobs().now(flaky()).unique().await.unwrap().id(), tried.id());
    test.advance(120 * SECOND).await;
    test.finish().await;
}

pub(crate) async fn a_cancelled_run_makes_way(fx: Fixture) {
    let test = started(&fx).await;
    let first = test.jobs().now(busy("a")).await.unwrap();
    assert!(first.cancel().await);
    test.settle().await;
    let next = test.jobs().now(busy("a")).await.unwrap();
    assert!(!next.is_duplicate());
    assert_eq!(next.wait().await, Outcome::Succeeded);
    test.finish().await;
}

pub(crate) async fn a_window_has_one_run(fx: Fixture) {
    let test = fx.starting(fx.config().job("work", |job| job.unique_per(600 * SECOND))).await;
    let first = test.jobs().now(busy("a")).await.unwrap();
    first.wait().await;
    let again = test.jobs().now(busy("a")).await.unwrap();
    assert!(again.is_duplicate() && again.id() == first.id(), "although it has ended");
    test.advance(600 * SECOND).await;
    assert!(!test.jobs().now(busy("a")).await.unwrap().is_duplicate());
    test.idle().await;
    test.finish().await;
}
