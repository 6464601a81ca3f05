//! Start-up jobs.

use jobs::testing;

use crate::fixture::{Fixture, SECOND};

pub(crate) async fn blocking_jobs_run_one_after_another_before_start_returns(fx: Fixture) {
    let test = testing::start(fx.config()).only(["first", "second", "note"]).await;
    let wanted = ["first begins", "submitted by first", "first ends", "second begins", "second ends"];
    assert_eq!(fx.diary.take(), wanted);
    test.finish().await;
}

pub(crate) async fn an_error_of_a_blocking_job_stops_the_start(fx: Fixture) {
    // The clock of a test; of a store that one process owns, the test lets go.
    let test = fx.start().await;
    let config = fx.config().clock(test.clock()).without_environment();
    test.finish().await;
    let error = jobs::start(config).await.expect_err("a start-up job fails");
    assert_eq!(error.startup_job(), Some("broken"));
    assert!(error.to_string().contains("no database"), "{error}");
    let lines = fx.diary.take();
    assert_eq!(lines.last().map(String::as_str), Some("second ends"), "and those before it have run");
    assert!(!lines.contains(&"warm begins".to_owned()));
}

pub(crate) async fn others_begin_at_the_start(fx: Fixture) {
    let test = testing::start(fx.config()).only(["warm"]).await;
    test.settle().await;
    assert_eq!(fx.diary.take(), ["warm begins"]);
    test.advance(3600 * SECOND).await;
    assert_eq!(fx.diary.take(), ["warm ends"]);
    test.finish().await;
}
