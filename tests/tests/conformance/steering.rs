//! Steering jobs by their name.

use jobs::Outcome;

use crate::fixture::{Fixture, SECOND};
use crate::jobs_of_the_suite::note;

pub(crate) async fn slots_pass_while_a_job_is_paused(fx: Fixture) {
    let test = fx.start().await;
    test.schedule("*/10 * * * * *", note { tag: "slot".into() }).await.unwrap();
    test.advance(15 * SECOND).await;
    test.pause("note").await.unwrap();
    test.pause("note").await.unwrap();
    assert!(test.job("note").paused);
    test.advance(30 * SECOND).await;
    assert_eq!(fx.diary.take(), ["slot"]);
    test.resume("note").await.unwrap();
    test.advance(10 * SECOND).await;
    assert_eq!(fx.diary.take(), ["slot"]);
    let schedule = test.job("note").schedules[0].clone();
    assert_eq!((schedule.ran, schedule.paused), (2, 3));
    test.finish().await;
}

pub(crate) async fn a_paused_job_can_be_submitted(fx: Fixture) {
    let test = fx.start().await;
    test.pause("note").await.unwrap();
    let run = test.jobs().now(note { tag: "submitted".into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(test.run_now("note").await.unwrap().wait().await, Outcome::Succeeded);
    assert_eq!(fx.diary.take(), ["submitted", "note"]);
    test.finish().await;
}

pub(crate) async fn run_now_runs_beside_the_schedule(fx: Fixture) {
    let test = fx.start().await;
    test.schedule("0 0 0 1 1 *", note { tag: "of the schedule".into() }).await.unwrap();
    let run = test.run_now("note").await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(fx.diary.take(), ["of the schedule"]);
    assert_eq!(test.job("note").schedules[0].ran, 0);
    test.finish().await;
}

pub(crate) async fn an_unknown_job_is_refused(fx: Fixture) {
    let test = fx.start().await;
    assert!(test.run_now("notte").await.unwrap_err().is_unknown_job());
    assert!(test.pause("notte").await.unwrap_err().to_string().contains("`note`"));
    test.finish().await;
}
