//! What follows a failure.

use jobs::Outcome;

use crate::fixture::{Fixture, SECOND};
use crate::jobs_of_the_suite::{flaky, note};

fn flaky_as(how: &str, succeeds: u32) -> flaky {
    flaky { how: how.into(), succeeds }
}

pub(crate) async fn a_failure_is_tried_again_after_a_wait_that_grows(fx: Fixture) {
    let test = fx.start().await;
    for how in ["error", "panic"] {
        let run = test.jobs().now(flaky_as(how, 4)).await.unwrap();
        assert_eq!(run.wait().await, Outcome::Succeeded);
        assert_eq!(fx.diary.take(), [1, 2, 3, 4].map(|attempt| format!("{how} {attempt}")));
        let attempts = run.attempts();
        for (pair, wait) in attempts.windows(2).zip([1000, 2000, 4000]) {
            let waited = (pair[1].started_at - pair[0].finished_at).num_milliseconds();
            assert!((wait * 9 / 10..=wait * 11 / 10 + 1).contains(&waited), "{waited} of {wait}");
        }
        let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        let failed = if how == "error" { "failed" } else { "panicked" };
        assert_eq!(outcomes, [failed, failed, failed, "succeeded"]);
    }
    test.finish().await;
}

pub(crate) async fn after_the_last_attempt_the_run_has_failed(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(flaky_as("error", 9)).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Failed("attempt 4".into()));
    test.advance(3600 * SECOND).await;
    assert_eq!(fx.diary.take().len(), 4);
    test.finish().await;
}

pub(crate) async fn every_attempt_has_the_arguments_of_the_submission(fx: Fixture) {
    let test = fx.start().await;
    let how = "a text of its own";
    test.jobs().now(flaky_as(how, 3)).await.unwrap().wait().await;
    assert_eq!(fx.diary.take(), [1, 2, 3].map(|attempt| format!("{how} {attempt}")));
    test.finish().await;
}

pub(crate) async fn a_job_says_when_it_is_tried_again(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(flaky_as("retry_in", 2)).await.unwrap();
    run.wait().await;
    let attempts = run.attempts();
    assert_eq!((attempts[1].started_at - attempts[0].finished_at).num_seconds(), 77);
    test.finish().await;
}

pub(crate) async fn a_job_gives_its_run_up(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(flaky_as("discard", 2)).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Discarded("no use".into()));
    assert_eq!(fx.diary.take(), ["discard 1"]);
    test.finish().await;
}

pub(crate) async fn a_run_that_waits_leaves_its_place_to_others(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    test.jobs().now(flaky_as("error", 2)).await.unwrap();
    test.jobs().now(note { tag: "other".into() }).await.unwrap();
    test.advance(5 * SECOND).await;
    assert_eq!(fx.diary.take(), ["error 1", "other", "error 2"]);
    test.finish().await;
}

pub(crate) async fn a_slot_is_not_tried_again(fx: Fixture) {
    let test = fx.starting(fx.config()).await;
    let fails = jobs::func("fails", || async { Err::<(), _>("no") });
    test.schedule("0 * * * * *", fails).await.unwrap();
    test.advance(150 * SECOND).await;
    let job = test.job("fails");
    assert_eq!((job.schedules[0].ran, job.delayed), (2, 0));
    test.finish().await;
}
