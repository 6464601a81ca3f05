//! Events tell what is true, in its order, also when many threads make it happen at once.

mod support;

use std::collections::HashMap;
use std::time::Duration;

use jobs::{Config, Event, Follows, JobContext, Outcome, RunChange, RunEvent, RunId, job};

const POOL: usize = 8;

#[job(retries = 3)]
async fn busy(cx: &JobContext, number: u32) -> Result<(), &'static str> {
    tokio::task::yield_now().await;
    if number.is_multiple_of(3) && cx.attempt() == 1 {
        cx.retry_in(Duration::ZERO);
        return Err("once more");
    }
    Ok(())
}

/// Where a run stands, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Submitted,
    Running(u32),
    Waiting(u32),
    Ended,
}

fn follow(before: Option<Told>, event: &RunEvent) -> Told {
    match (before, &event.what) {
        (None, RunChange::Submitted { .. }) => Told::Submitted,
        (Some(Told::Submitted), RunChange::Started { .. }) if event.attempt == 1 => Told::Running(1),
        (Some(Told::Waiting(attempt)), RunChange::Started { .. }) if event.attempt == attempt + 1 => {
            Told::Running(event.attempt)
        }
        (Some(Told::Running(attempt)), RunChange::Failed { follows, .. }) if event.attempt == attempt => {
            match follows {
                Follows::Retry { .. } => Told::Waiting(attempt),
                // It was cancelled while it failed.
                _ => Told::Ended,
            }
        }
        (Some(Told::Running(_)), RunChange::Succeeded { .. }) => Told::Ended,
        // Cancelled in whatever state.
        (Some(before), RunChange::Ended { outcome: Outcome::Cancelled, .. }) if before != Told::Ended => {
            Told::Ended
        }
        _ => panic!("{event} after {before:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_run_is_told_from_its_submission_to_its_one_end() {
    let config = Config::default().without_environment().pool(POOL as i64);
    let jobs = jobs::start(config).await.unwrap();
    let mut events = jobs.events();
    let mut told: HashMap<RunId, Told> = HashMap::new();
    let (mut running, mut most) = (0, 0);
    for round in 0..10 {
        let mut runs = Vec::new();
        for number in 0..300 {
            let run = jobs.now(busy { number }).await.unwrap();
            if number.is_multiple_of(7) {
                run.cancel().await;
            }
            runs.push(run);
        }
        for run in &runs {
            run.wait().await;
        }
        // What a run came to is known only when that was told.
        while let Some(event) = events.try_next() {
            let Event::Run(event) = event else { panic!("{event}") };
            let before = told.get(&event.run).copied();
            let after = follow(before, &event);
            running += usize::from(matches!(after, Told::Running(_)));
            running -= usize::from(matches!(before, Some(Told::Running(_))));
            most = most.max(running);
            assert!(running <= POOL, "more than the pool has room for: {event}");
            told.insert(event.run, after);
        }
        assert_eq!(running, 0);
        assert_eq!(told.len(), (round + 1) * runs.len());
        for run in &runs {
            assert_eq!(told[&run.id()], Told::Ended);
        }
    }
    assert!(most > 1, "nothing ran at the same time");
    jobs.shutdown().await;
}
