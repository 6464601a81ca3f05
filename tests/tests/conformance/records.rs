//! What is known of runs, while they are alive and afterwards.

use jobs::{Outcome, RunState};

use crate::fixture::{Fixture, SECOND, ended};
use crate::jobs_of_the_suite::{add, note, once, work};

pub(crate) async fn what_a_job_returns_is_kept(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().now(add { one: 40, other: 2 }).await.unwrap();
    assert_eq!(run.output::<u64>().await.unwrap(), 42);
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let run = test.jobs().now(add { one: u64::MAX, other: 1 }).retries(0).await.unwrap();
    assert!(run.output::<u64>().await.is_err());
    test.finish().await;
}

pub(crate) async fn runs_are_found_by_job_and_state(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    let done = test.jobs().now(note { tag: "done".into() }).await.unwrap();
    let dead = test.jobs().now(once { how: "error".into() }).await.unwrap();
    test.settle().await;
    let running = test.jobs().now(work { tag: "runs".into(), takes: 10 * SECOND }).await.unwrap();
    test.settle().await;
    let queued = test.jobs().now(note { tag: "queued".into() }).await.unwrap();
    let delayed = test.jobs().after(60 * SECOND, note { tag: "delayed".into() }).await.unwrap();
    let cancelled = test.jobs().after(60 * SECOND, note { tag: "cancelled".into() }).await.unwrap();
    cancelled.cancel().await;
    for (run, state) in [
        (&done, RunState::Succeeded),
        (&dead, RunState::Dead),
        (&running, RunState::Running),
        (&queued, RunState::Available),
        (&delayed, RunState::Scheduled),
        (&cancelled, RunState::Cancelled),
    ] {
        let found: Vec<_> = test.runs().state(state).list().await.iter().map(|run| run.id).collect();
        assert_eq!(found, [run.id()], "{state:?}");
        assert_eq!(test.run(run.id()).await.unwrap().state, state);
    }
    assert_eq!(test.runs().job("note").list().await.len(), 4);
    assert_eq!(test.runs().list().await.len(), 6);
    test.advance(70 * SECOND).await;
    assert_eq!(test.run(delayed.id()).await.unwrap().state, RunState::Succeeded);
    test.finish().await;
}

pub(crate) async fn a_run_is_cancelled_and_made_again_by_its_identity(fx: Fixture) {
    let test = fx.start().await;
    let run = test.jobs().after(60 * SECOND, note { tag: "again".into() }).await.unwrap();
    assert!(test.cancel(run.id()).await);
    assert!(!test.cancel(run.id()).await);
    assert_eq!(ended(&run).await, Outcome::Cancelled);
    let again = test.retry(run.id()).await.unwrap();
    assert_ne!(again.id(), run.id());
    assert_eq!(again.wait().await, Outcome::Succeeded);
    assert_eq!(fx.diary.take(), ["again"]);
    test.finish().await;
}
