//! Runs that are cancelled, in every state.

use jobs::Outcome;

use crate::fixture::{Fixture, SECOND, ended};
use crate::jobs_of_the_suite::{flaky, note, stubborn, work};

fn busy() -> work {
    work { tag: "busy".into(), takes: 20 * SECOND }
}

pub(crate) async fn a_queued_run_never_starts(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    test.jobs().now(busy()).await.unwrap();
    let run = test.jobs().now(note { tag: "queued".into() }).await.unwrap();
    test.advance(SECOND).await;
    assert!(run.cancel().await);
    assert_eq!(ended(&run).await, Outcome::Cancelled);
    assert_eq!(test.snapshot().pool.queued, 0);
    test.advance(60 * SECOND).await;
    assert_eq!(fx.diary.take(), ["begin busy 00:00", "end busy"]);
    test.finish().await;
}

pub(crate) async fn a_delayed_run_never_starts(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().after(10 * SECOND, note { tag: "delayed".into() }).await.unwrap();
    assert!(run.cancel().await);
    assert_eq!(ended(&run).await, Outcome::Cancelled);
    assert_eq!(test.job("note").delayed, 0);
    test.advance(60 * SECOND).await;
    assert_eq!(fx.diary.take(), Vec::<String>::new());
    test.finish().await;
}

pub(crate) async fn a_run_that_waits_to_be_tried_again_is_not(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(flaky { how: "error".into(), succeeds: 9 }).await.unwrap();
    test.settle().await;
    assert!(run.cancel().await);
    assert_eq!(ended(&run).await, Outcome::Cancelled);
    test.advance(60 * SECOND).await;
    assert_eq!(fx.diary.take(), ["error 1"]);
    assert_eq!(run.attempts().len(), 1);
    test.finish().await;
}

pub(crate) async fn a_running_run_is_dropped_where_it_awaits(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(busy()).await.unwrap();
    test.advance(SECOND).await;
    assert!(run.cancel().await);
    assert_eq!(run.wait().await, Outcome::Cancelled);
    assert_eq!(fx.diary.take(), ["begin busy 00:00", "dropped busy"]);
    assert!(
        (1000..1010)
            .contains(&(test.now_utc() - crate::support::utc("2026-03-02 12:00:00")).num_milliseconds())
    );
    test.finish().await;
}

pub(crate) async fn an_attempt_after_the_first_is_dropped_where_it_awaits(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(stubborn {}).await.unwrap();
    // Others are younger than the run that is tried again.
    test.jobs().now(note { tag: "other".into() }).await.unwrap();
    test.advance(30 * SECOND).await;
    assert!(run.cancel().await);
    assert_eq!(run.wait().await, Outcome::Cancelled);
    assert_eq!(fx.diary.take(), ["fails", "other", "fails", "begin", "dropped"]);
    assert_eq!(run.attempts().len(), 3);
    test.finish().await;
}

pub(crate) async fn a_run_that_has_ended_is_not_cancelled(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(note { tag: "done".into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert!(!run.cancel().await);
    assert_eq!(ended(&run).await, Outcome::Succeeded);
    let run = test.jobs().after(SECOND, note { tag: "twice".into() }).await.unwrap();
    assert!(run.cancel().await && !run.cancel().await);
    test.finish().await;
}

pub(crate) async fn the_next_run_takes_the_place(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    let run = test.jobs().now(busy()).await.unwrap();
    test.jobs().now(note { tag: "next".into() }).await.unwrap();
    test.advance(SECOND).await;
    run.cancel().await;
    test.settle().await;
    assert_eq!(fx.diary.take(), ["begin busy 00:00", "dropped busy", "next"]);
    test.finish().await;
}
