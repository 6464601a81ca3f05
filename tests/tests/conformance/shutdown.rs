//! The end, in its order: fire nothing more, start nothing more, let what runs finish, then cut it off.

use jobs::Outcome;

use crate::fixture::{Fixture, SECOND, ended};
use crate::jobs_of_the_suite::{flaky, note, work};
use crate::support::utc;

fn busy(seconds: u32) -> work {
    work { tag: "busy".into(), takes: SECOND * seconds }
}

pub(crate) async fn a_shutdown_waits_for_what_runs(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(busy(20)).await.unwrap();
    test.schedule("*/5 * * * * *", note { tag: "slot".into() }).await.unwrap();
    test.advance(SECOND).await;
    let report = test.shutdown().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(ended(&run).await, Outcome::Succeeded);
    assert_eq!(fx.diary.take(), ["begin busy 00:00", "end busy"], "and no slot fires meanwhile");
}

pub(crate) async fn after_its_patience_runs_are_interrupted(fx: Fixture) {
    let test = fx.starting(fx.config().shutdown_timeout(5 * SECOND)).await;
    let run = test.jobs().now(busy(20)).await.unwrap();
    test.settle().await;
    let began = test.now_utc();
    let report = test.shutdown().await;
    assert_eq!((report.interrupted, report.still_running), (1, 0));
    assert!((5000..6100).contains(&(test.now_utc() - began).num_milliseconds()));
    assert_eq!(fx.diary.take(), ["begin busy 00:00", "dropped busy"]);
    assert_eq!(ended(&run).await, Outcome::Interrupted);
}

/// The next process makes the same attempt again, and whatever fails then is the first failure.
pub(crate) async fn what_was_cut_off_is_no_attempt(fx: Fixture) {
    if !fx.durable {
        return;
    }
    let first = fx.starting(fx.config().shutdown_timeout(5 * SECOND)).await;
    first.jobs().now(flaky { how: "slow".into(), succeeds: 3 }).await.unwrap();
    first.settle().await;
    assert_eq!(first.shutdown().await.interrupted, 1);
    let next = fx.starting(fx.config().shutdown_timeout(5 * SECOND)).at(utc("2026-03-02 13:00:00")).await;
    next.settle().await;
    assert_eq!(next.shutdown().await.interrupted, 1);
    assert_eq!(fx.diary.take(), ["slow 1", "slow 1"]);
}

pub(crate) async fn what_has_not_started_does_not_start(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    let tried = test.jobs().now(flaky { how: "error".into(), succeeds: 2 }).await.unwrap();
    test.settle().await;
    test.jobs().now(busy(20)).await.unwrap();
    let queued = test.jobs().now(note { tag: "queued".into() }).await.unwrap();
    let delayed = test.jobs().after(SECOND, note { tag: "delayed".into() }).await.unwrap();
    test.settle().await;
    let report = test.shutdown().await;
    test.advance(3600 * SECOND).await;
    assert_eq!(fx.diary.take(), ["error 1", "begin busy 00:00", "end busy"]);
    let (left, outcome) = if fx.durable { ((0, 3), Outcome::Interrupted) } else { ((3, 0), Outcome::Lost) };
    assert_eq!((report.lost, report.kept), left);
    for run in [tried, queued, delayed] {
        assert_eq!(ended(&run).await, outcome);
    }
}

pub(crate) async fn nothing_is_accepted_after_it(fx: Fixture) {
    let test = fx.start().await;
    test.jobs().now(busy(5)).await.unwrap();
    test.settle().await;
    let (report, refused) = tokio::join!(test.shutdown(), async {
        tokio::task::yield_now().await;
        test.jobs().now(note { tag: "late".into() }).await
    });
    assert!(report.is_clean(), "{report}");
    assert!(refused.unwrap_err().is_shut_down());
    let error = test.jobs().after(SECOND, note { tag: "later".into() }).await.unwrap_err();
    assert!(error.is_shut_down());
    assert!(test.run_now("note").await.unwrap_err().is_shut_down());
    assert!(test.schedule("@daily", note { tag: "daily".into() }).await.unwrap_err().is_shut_down());
}

pub(crate) async fn a_second_shutdown_tells_the_same(fx: Fixture) {
    let test = fx.start().await;
    test.jobs().after(SECOND, note { tag: "lost".into() }).await.unwrap();
    let (one, other) = tokio::join!(test.shutdown(), test.shutdown());
    assert_eq!((one, other), (test.shutdown().await, one));
    assert_eq!((one.lost, one.kept), if fx.durable { (0, 1) } else { (1, 0) });
}

pub(crate) async fn handles_outlive_it(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(flaky { how: "error".into(), succeeds: 2 }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    test.shutdown().await;
    assert_eq!(ended(&run).await, Outcome::Succeeded);
    assert_eq!(run.attempts().len(), 2);
    assert!(!run.cancel().await);
}
