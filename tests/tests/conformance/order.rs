//! Which run starts when.

use chrono::TimeDelta;
use jobs::Outcome;

use crate::fixture::{Fixture, SECOND, ended, has_ended};
use crate::jobs_of_the_suite::{note, work};

pub(crate) async fn runs_start_in_the_order_of_submission(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    for number in 0..200 {
        test.jobs().now(note { tag: number.to_string() }).await.unwrap();
    }
    test.idle().await;
    let wanted: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(fx.diary.take(), wanted);
    test.finish().await;
}

pub(crate) async fn the_pool_is_never_exceeded(fx: Fixture) {
    let test = fx.starting(fx.config().pool(3)).await;
    for number in 0..10 {
        let takes = SECOND * (10 + number % 4);
        test.jobs().now(work { tag: number.to_string(), takes }).await.unwrap();
    }
    test.settle().await;
    let (mut most, mut seconds) = (0, 0);
    while !test.snapshot().jobs.iter().all(|job| job.running + job.queued == 0) {
        let pool = test.snapshot().pool;
        assert!(pool.running <= 3 && (pool.running == 3 || pool.queued == 0), "{pool:?}");
        most = most.max(pool.running);
        seconds += 1;
        assert!(seconds < 1000, "does not come to its end");
        test.advance(SECOND).await;
    }
    assert_eq!(most, 3);
    let ends = fx.diary.take().iter().filter(|line| line.starts_with("end")).count();
    assert_eq!(ends, 10);
    test.finish().await;
}

pub(crate) async fn a_delayed_run_starts_when_it_is_due(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().after(10 * SECOND, work { tag: "a".into(), takes: SECOND }).await.unwrap();
    test.advance(9 * SECOND).await;
    assert_eq!((fx.diary.take(), test.job("work").delayed), (vec![], 1));
    test.advance(SECOND).await;
    assert_eq!(fx.diary.take(), ["begin a 00:10"]);
    assert_eq!(run.wait().await, Outcome::Succeeded);
    test.finish().await;
}

pub(crate) async fn delayed_runs_start_in_the_order_in_which_they_are_due(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    for seconds in [3, 1, 2, 5, 4] {
        test.jobs().after(SECOND * seconds, note { tag: format!("after {seconds}") }).await.unwrap();
    }
    let at = test.now_utc() + TimeDelta::milliseconds(2500);
    test.jobs().at(at, note { tag: "at 2.5".into() }).await.unwrap();
    // Nothing starts until the place is free, and then all are due.
    test.jobs().now(work { tag: "first".into(), takes: 20 * SECOND }).await.unwrap();
    test.advance(30 * SECOND).await;
    let mut wanted =
        ["begin first 00:00", "end first", "after 1", "after 2", "at 2.5", "after 3", "after 4", "after 5"];
    if fx.lines_up_by_submission {
        wanted[2..].copy_from_slice(&["after 3", "after 1", "after 2", "after 5", "after 4", "at 2.5"]);
    }
    assert_eq!(fx.diary.take(), wanted);
    test.finish().await;
}

pub(crate) async fn an_instant_that_has_passed_is_now(fx: Fixture) {
    let test = fx.start().await;
    let at = test.now_utc() - TimeDelta::days(400);
    let run = test.jobs().at(at, note { tag: "late".into() }).await.unwrap();
    assert!(!has_ended(&run).await || fx.diary.take() == ["late"]);
    test.settle().await;
    assert_eq!(ended(&run).await, Outcome::Succeeded);
    test.finish().await;
}
