//! What dies is started again, and everybody can see that it died.

mod support;

use jobs::testing::{self, Fault, kill_scheduler};
use jobs::{Config, Event, Jobs, Outcome, RunHandle, RunState, Trouble, func};
use support::{HOUR, Log, MINUTE, Note, SECOND, clock, config, note};

/// The task that has died, how often, and since when, if health tells of one and of nothing else.
fn died(jobs: &Jobs) -> Option<(&'static str, u32, String)> {
    let health = jobs.health();
    match &*health.conditions {
        [] => None,
        [condition] => match condition.what {
            Trouble::TaskDied { task, times, .. } => Some((task, times, condition.since.to_string())),
            _ => panic!("{health}"),
        },
        _ => panic!("{health}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_dies_is_started_again_and_fires_every_slot_once() {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let jobs = jobs::start(config(&clock).state(log.clone())).await.unwrap();
    jobs.schedule("* * * * * *", note("second")).await.unwrap();
    let mut events = jobs.events();
    clock.advance(SECOND * 2).await;
    assert_eq!(log.slots(), ["12:00:01", "12:00:02"]);
    assert_eq!(died(&jobs), None);
    // It hands the slot out and dies before it has planned the next.
    kill_scheduler(&jobs);
    clock.advance(SECOND).await;
    assert_eq!(log.slots(), ["12:00:03"]);
    let event =
        std::iter::from_fn(|| events.try_next()).find(|event| matches!(event, Event::TaskDied { .. }));
    assert_eq!(event.unwrap().to_string(), "task scheduler died and is started again in 100ms");
    clock.advance(SECOND * 2).await;
    assert_eq!(log.slots(), ["12:00:04", "12:00:05"]);
    assert_eq!(died(&jobs), Some(("scheduler", 1, "2026-03-02 12:00:03 UTC".into())));
    clock.advance(MINUTE * 5).await;
    assert_eq!(died(&jobs), None, "that was long ago");
    assert_eq!(log.slots().len(), 300);
}

/// The one that takes over enters what the pool has said, and not what is likely.
#[tokio::test(start_paused = true)]
async fn the_fate_of_a_slot_outlives_the_scheduler_that_had_it_in_its_hands() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    jobs.schedule("* * * * *", note("minute")).await.unwrap();
    clock.advance(MINUTE).await;
    jobs.pause("note").await.unwrap();
    kill_scheduler(&jobs);
    clock.advance(MINUTE * 2).await;
    let tally = jobs.ledger("note").unwrap().tally();
    assert_eq!((tally.ran, tally.paused, tally.total()), (1, 2, 3));
    jobs.shutdown().await;
}

/// It dies over the first slot that comes after the sleep; what has passed of the other is the business of the next.
#[tokio::test(start_paused = true)]
async fn why_slots_were_missed_outlives_the_scheduler() {
    let clock = clock("2026-03-02 12:00:30");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    jobs.schedule("0 0 * * * *", note("late")).await.unwrap();
    jobs.schedule("0 57 * * * *", func("missed", || async {})).await.unwrap();
    kill_scheduler(&jobs);
    clock.suspend(MINUTE * 60).await;
    clock.advance(MINUTE).await;
    assert!(died(&jobs).is_some());
    let reasons = |job: &str| {
        let entries = jobs.ledger(job).unwrap().entries();
        entries.iter().map(|entry| entry.reason.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (reasons("note"), reasons("missed")),
        (vec!["ran".into()], vec!["missed, since the machine slept".into()])
    );
    jobs.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_dies_is_replaced_and_the_rest_goes_on() {
    let config = Config::default().without_environment().pool(1).state(Log::default());
    let test = testing::start(config.register::<Note>()).await;
    let mut events = test.jobs().events();
    test.inject("note", Fault::WorkerDies);
    let first = test.jobs().now(note("first")).await.unwrap();
    let second = test.jobs().now(note("second")).await.unwrap();
    assert_eq!(second.wait().await, Outcome::Succeeded);
    assert_eq!(first.wait().await, Outcome::Succeeded);
    let event =
        std::iter::from_fn(|| events.try_next()).find(|event| matches!(event, Event::TaskDied { .. }));
    assert_eq!(event.unwrap().to_string(), "task worker died and is replaced");
    let (task, times, _) = died(test.jobs()).unwrap();
    assert_eq!((task, times), ("worker", 1));
}

/// It is nobody's attempt: the run goes back, and has all of its attempts left. One that takes worker after worker with it
/// is dead, and says why.
#[tokio::test]
async fn a_run_whose_worker_dies_is_tried_again_and_not_without_end() {
    let config = Config::default().without_environment().pool(2).state(Log::default());
    let test = testing::start(config.register::<Note>()).await;
    test.inject("note", Fault::WorkerDies);
    test.inject("note", Fault::WorkerDies);
    let twice = test.jobs().now(note("twice")).retries(1).await.unwrap();
    assert_eq!(twice.wait().await, Outcome::Succeeded);
    let numbers = |run: &RunHandle| run.attempts().iter().map(|attempt| attempt.number).collect::<Vec<_>>();
    assert_eq!(numbers(&twice), [1, 1, 1]);
    let snapshot = twice.snapshot().unwrap();
    assert_eq!((snapshot.attempt, snapshot.retries), (1, 1));

    for _ in 0..3 {
        test.inject("note", Fault::WorkerDies);
    }
    let thrice = test.jobs().now(note("thrice")).await.unwrap();
    let Outcome::Failed(why) = thrice.wait().await else { panic!("it goes on") };
    assert_eq!(why, "3 workers have died over this run, which may be the cause; it is not tried again");
    assert_eq!(thrice.snapshot().unwrap().state, RunState::Dead);
    let after = test.jobs().now(note("after")).await.unwrap();
    assert_eq!(after.wait().await, Outcome::Succeeded);
    assert_eq!(test.job("note").running + test.job("note").queued + test.job("note").retrying, 0);

    // No retries are no attempts but one, and this is none.
    test.inject("note", Fault::WorkerDies);
    test.inject("note", Fault::WorkerDies);
    let once = test.jobs().now(note("once")).retries(0).await.unwrap();
    assert_eq!(once.wait().await, Outcome::Succeeded);
    assert_eq!(numbers(&once), [1, 1, 1]);
    test.finish().await;
}

/// A slot has its value from the schedule, and is tried again without retries of its own.
#[tokio::test]
async fn a_slot_whose_worker_dies_is_tried_again() {
    let log = Log::default();
    let test = testing::start(Config::default().without_environment().state(log.clone())).await;
    test.schedule("@hourly", note("slot")).await.unwrap();
    test.inject("note", Fault::WorkerDies);
    test.advance(HOUR).await;
    assert_eq!(log.tags(), ["slot"]);
    test.assert_ran("note", 1);
    test.finish().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_dies_again_and_again_waits_longer_and_its_slots_are_late() {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let jobs = jobs::start(config(&clock).state(log.clone())).await.unwrap();
    jobs.schedule("* * * * * *", note("second")).await.unwrap();
    let mut events = jobs.events();
    for wait in ["100ms", "200ms", "400ms", "800ms", "1s600ms", "3s200ms", "6s400ms", "12s800ms"] {
        kill_scheduler(&jobs);
        let died = async {
            while let Some(event) = events.next().await {
                if matches!(event, Event::TaskDied { .. }) {
                    return event.to_string();
                }
            }
            unreachable!("it goes on")
        };
        assert_eq!(died.await, format!("task scheduler died and is started again in {wait}"));
    }
    assert!(!log.take().is_empty());
    // It fires nothing for 12.8 seconds, and then what is late.
    clock.advance(SECOND * 6).await;
    let health = jobs.health();
    assert_eq!(
        health.to_string(),
        "the scheduler is behind, for 6s\nthe task scheduler died 8 times and was replaced, for 21s"
    );
    assert!(matches!(health.conditions[0].what, Trouble::SchedulerBehind));
    assert_eq!(log.len(), 0);
    clock.advance(SECOND * 7).await;
    assert!(!log.take().is_empty());
    assert_eq!(jobs.health().conditions.len(), 1, "{}", jobs.health());
    clock.advance(HOUR).await;
    assert!(jobs.health().is_ok());
    assert!(log.len() > 3590);
}

/// They were in its hands when it died.
#[tokio::test(start_paused = true)]
async fn a_scheduler_that_dies_loses_no_delayed_run_and_no_token_of_a_rate() {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let jobs = jobs::start(config(&clock).state(log.clone())).await.unwrap();
    jobs.schedule("* * * * * *", func("second", || async {})).await.unwrap();
    let delayed = jobs.at(support::utc("2026-03-02 12:00:03"), note("delayed")).await.unwrap();
    clock.advance(SECOND * 2).await;
    kill_scheduler(&jobs);
    clock.advance(SECOND * 2).await;
    assert!(died(&jobs).is_some());
    assert_eq!(delayed.snapshot().unwrap().state, RunState::Succeeded);
    assert_eq!(log.tags(), ["delayed"]);
}

/// The run ends before anybody has entered its slot.
#[tokio::test(start_paused = true)]
async fn the_slot_of_a_fixed_delay_is_entered_although_the_scheduler_dies() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock)).await.unwrap();
    jobs.fixed_delay(SECOND * 10, func("poll", || async {})).await.unwrap();
    kill_scheduler(&jobs);
    clock.advance(SECOND * 12).await;
    assert!(died(&jobs).is_some());
    assert_eq!(jobs.ledger("poll").unwrap().tally().ran, 1);
    clock.advance(SECOND * 10).await;
    assert_eq!(jobs.ledger("poll").unwrap().tally().ran, 2);
}
