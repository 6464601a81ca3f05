//! What a run comes to.

use jobs::Outcome;

use crate::fixture::{Fixture, SECOND, ended};
use crate::jobs_of_the_suite::{Order, flaky, note, once, parent, ship};

pub(crate) async fn a_submission_runs_once(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(note { tag: "a".into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    test.advance(3600 * SECOND).await;
    assert_eq!(fx.diary.take(), ["a"]);
    let attempts = run.attempts();
    assert_eq!((attempts.len(), attempts[0].number, &attempts[0].outcome), (1, 1, &Outcome::Succeeded));
    test.finish().await;
}

pub(crate) async fn arguments_arrive_as_they_were_submitted(fx: Fixture) {
    let test = fx.start().await;
    let order = Order { lines: vec![("ä\n\"'\0😀".into(), u32::MAX), (String::new(), 0)], note: None };
    let weight = 0.1 + 0.2;
    let run = test.jobs().now(ship { order: order.clone(), weight, fragile: true }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(fx.diary.take(), [format!("{order:?} {weight} true")]);
    test.finish().await;
}

pub(crate) async fn errors_and_panics_are_told(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(once { how: "error".into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Failed("the cause".into()));
    let run = test.jobs().now(once { how: "panic".into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Panicked("a panic".into()));
    let previous = test.job("once").previous.unwrap();
    assert_eq!((previous.id, previous.outcome), (run.id(), Outcome::Panicked("a panic".into())));
    test.finish().await;
}

pub(crate) async fn an_attempt_that_takes_too_long_has_timed_out(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(once { how: "slow".into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::TimedOut(5 * SECOND));
    test.finish().await;
}

pub(crate) async fn a_handle_tells_the_outcome_as_often_as_it_is_asked(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(flaky { how: "error".into(), succeeds: 2 }).await.unwrap();
    let other = run.clone();
    let (one, two, three) = tokio::join!(run.wait(), run.wait(), other.wait());
    assert_eq!([one, two, three], [Outcome::Succeeded, Outcome::Succeeded, Outcome::Succeeded]);
    assert_eq!((ended(&run).await, ended(&other).await), (Outcome::Succeeded, Outcome::Succeeded));
    assert_eq!((run.id(), run.attempts().len()), (other.id(), 2));
    test.finish().await;
}

pub(crate) async fn a_job_submits_another(fx: Fixture) {
    let test = fx.start().await;
    test.jobs().now(parent {}).await.unwrap().wait().await;
    test.idle().await;
    assert_eq!(fx.diary.take(), ["child"]);
    test.finish().await;
}
