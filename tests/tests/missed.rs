//! Slots that pass while nothing can run, and what is made up for.

mod support;

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use jobs::testing::TestClock;
use jobs::{Fate, Job, JobContext, JobResult, Jobs};
use serde::{Deserialize, Serialize};
use support::{DAY, HOUR, MINUTE, SECOND, clock, config, utc};

/// The slot as `02 12:00`, with `+` if it is made up for and `!` if the run is late.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Watch;

impl Job for Watch {
    const NAME: &'static str = "watch";

    async fn run(self, cx: JobContext) -> JobResult {
        let marks = [(cx.is_catch_up(), "+"), (cx.is_late(), "!")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        let slot = cx.slot().unwrap().format("%d %H:%M");
        cx.state::<Seen>().unwrap().0.lock().unwrap().push(format!("{slot}{marks}"));
        Ok(())
    }
}

async fn started(clock: &TestClock, overlap: &str) -> (Jobs, Seen) {
    let seen = Seen::default();
    let config =
        config(clock).state(seen.clone()).register::<Watch>().job("watch", |job| job.overlap(overlap));
    (jobs::start(config).await.unwrap(), seen)
}

/// What the ledger says: the hours of the first and the last slot, how many, and the fate.
fn ledger(jobs: &Jobs) -> Vec<(String, String, u64, Fate)> {
    let hour = |at: chrono::DateTime<chrono::Utc>| at.format("%d %H:%M").to_string();
    let entries = jobs.ledger("watch").unwrap().entries();
    entries.iter().map(|entry| (hour(entry.from), hour(entry.to), entry.count, entry.fate)).collect()
}

/// ```text
/// 12:30   13   14   15   16   17   17:30   18
///  │ asleep                         │ awake
///          m    m    m    m    m             r    skip
///          m    m    m    m    c             r    once
///          c    c    c    c    c             r    all
///          m    m    c    c    c             r    all within 2h30m
/// ```
#[tokio::test(start_paused = true)]
async fn after_a_sleep_the_policy_says_what_is_made_up() {
    let cases: [(&str, &[&str], u64); 5] = [
        ("skip", &[], 5),
        ("once", &["02 17:00+!"], 4),
        ("once within 29m", &[], 5),
        ("all", &["02 13:00+!", "02 14:00+!", "02 15:00+!", "02 16:00+!", "02 17:00+!"], 0),
        ("all within 2h30m", &["02 15:00+!", "02 16:00+!", "02 17:00+!"], 2),
    ];
    for (policy, made_up, missed) in cases {
        let clock = clock("2026-03-02 12:30:00");
        let (jobs, seen) = started(&clock, "allow").await;
        jobs.schedule("@hourly", Watch).missed(policy).await.unwrap();
        clock.suspend(HOUR * 5).await;
        assert_eq!(seen.take(), made_up, "{policy}");
        clock.advance(HOUR / 2).await;
        assert_eq!(seen.take(), ["02 18:00"], "{policy}");
        let snapshot = jobs.snapshot();
        let schedule = &snapshot.job("watch").unwrap().schedules[0];
        let made_up = made_up.len() as u64;
        assert_eq!(
            (schedule.ran, schedule.caught_up, schedule.missed),
            (made_up + 1, made_up, missed),
            "{policy}"
        );
        assert_eq!(schedule.missed_policy, policy);
        let tally = jobs.ledger("watch").unwrap().tally();
        assert_eq!(
            (tally.ran, tally.caught_up, tally.missed, tally.total()),
            (1, made_up, missed, 6),
            "{policy}"
        );
        jobs.shutdown().await;
    }
}

/// A slot that is late by no more than a minute is not made up for, but fires.
#[tokio::test(start_paused = true)]
async fn once_makes_up_for_nothing_where_the_last_slot_fires_anyway() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, seen) = started(&clock, "allow").await;
    jobs.schedule("@hourly", Watch).missed("once").await.unwrap();
    clock.step(TimeDelta::minutes(5 * 60 - 30) + TimeDelta::seconds(45)).await;
    assert_eq!(seen.take(), ["02 17:00"]);
    let hour = |text: &str| text.to_owned();
    let wanted = [
        (hour("02 13:00"), hour("02 16:00"), 4, Fate::Missed),
        (hour("02 17:00"), hour("02 17:00"), 1, Fate::Ran),
    ];
    assert_eq!(ledger(&jobs), wanted);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_overlap_policy_holds_for_what_is_made_up() {
    let cases: [(&str, &[&str], u64); 3] = [
        ("buffer_one", &["02 13:00+!", "02 14:00+!"], 3),
        ("buffer_all", &["02 13:00+!", "02 14:00+!", "02 15:00+!", "02 16:00+!", "02 17:00+!"], 0),
        ("skip", &["02 13:00+!"], 4),
    ];
    for (overlap, made_up, skipped) in cases {
        let clock = clock("2026-03-02 12:30:00");
        let (jobs, seen) = started(&clock, overlap).await;
        jobs.schedule("@hourly", Watch).missed("all").await.unwrap();
        clock.suspend(HOUR * 5).await;
        assert_eq!(seen.take(), made_up, "{overlap}");
        let tally = jobs.ledger("watch").unwrap().tally();
        let counts = (tally.caught_up, tally.skipped, tally.missed);
        assert_eq!(counts, (made_up.len() as u64, skipped, 0), "{overlap}");
        jobs.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_are_made_up_at_most_the_latest_of_them() {
    let clock = clock("2026-03-02 00:00:30");
    let (jobs, seen) = started(&clock, "buffer_all").await;
    jobs.schedule("* * * * *", Watch).missed("all").key("minutes").await.unwrap();
    jobs.every(MINUTE, Watch).missed("all").key("interval").await.unwrap();
    clock.suspend(DAY).await;
    let tally = |key: &str| jobs.ledger("watch").unwrap().schedule(key).tally();
    let minutes = tally("minutes");
    assert_eq!((minutes.caught_up, minutes.ran, minutes.missed), (1000, 1, 439));
    let interval = tally("interval");
    // The last one came at this moment, and the one before is late by no more than a minute.
    assert_eq!((interval.caught_up, interval.ran, interval.missed), (999, 2, 439));
    assert_eq!(seen.take().len(), 2002);
    jobs.shutdown().await;
}

/// What has been made up for has come: it does not come again when the clock is set back.
#[tokio::test(start_paused = true)]
async fn set_back_what_was_made_up_does_not_come_again_and_what_was_missed_does() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, seen) = started(&clock, "allow").await;
    jobs.schedule("@hourly", Watch).missed("all within 2h30m").await.unwrap();
    clock.step(TimeDelta::hours(5)).await;
    assert_eq!(seen.take(), ["02 15:00+!", "02 16:00+!", "02 17:00+!"]);
    clock.step(TimeDelta::hours(-5)).await;
    assert_eq!(jobs.ledger("watch").unwrap().tally().missed, 0, "they are still to come");
    clock.advance(HOUR * 6).await;
    assert_eq!(seen.take(), ["02 13:00", "02 14:00", "02 18:00"]);
    let tally = jobs.ledger("watch").unwrap().tally();
    assert_eq!((tally.ran, tally.caught_up, tally.missed), (3, 3, 0));
    let hour = |text: &str| text.to_owned();
    let wanted = [
        (hour("02 13:00"), hour("02 14:00"), 2, Fate::Ran),
        (hour("02 15:00"), hour("02 17:00"), 3, Fate::CaughtUp),
        (hour("02 18:00"), hour("02 18:00"), 1, Fate::Ran),
    ];
    assert_eq!(ledger(&jobs), wanted);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn while_a_job_is_paused_nothing_is_made_up() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, seen) = started(&clock, "allow").await;
    jobs.schedule("@hourly", Watch).missed("all").await.unwrap();
    jobs.pause("watch").await.unwrap();
    clock.suspend(HOUR * 3).await;
    jobs.resume("watch").await.unwrap();
    clock.advance(HOUR).await;
    assert_eq!(seen.take(), ["02 16:00"]);
    assert_eq!(jobs.ledger("watch").unwrap().tally().paused, 3);
    jobs.shutdown().await;
}

/// Whether anybody saw them come: they would have made no run, and come once, also when the clock is set back.
#[tokio::test(start_paused = true)]
async fn what_passes_unseen_while_a_job_is_paused_is_paused_and_not_missed() {
    for policy in ["skip", "once", "all"] {
        let clock = clock("2026-03-02 12:30:00");
        let (jobs, seen) = started(&clock, "allow").await;
        jobs.schedule("@hourly", Watch).missed(policy).await.unwrap();
        jobs.every(HOUR, Watch).missed(policy).await.unwrap();
        jobs.pause("watch").await.unwrap();
        clock.suspend(HOUR * 3).await;
        clock.step(TimeDelta::hours(2)).await;
        clock.step(TimeDelta::hours(-5)).await;
        let tally = jobs.ledger("watch").unwrap().tally();
        assert_eq!((tally.paused, tally.missed, tally.total()), (8, 0, 8), "{policy}");
        jobs.resume("watch").await.unwrap();
        clock.advance(HOUR * 6).await;
        // The cron schedule has been through 17:00; the interval goes by no clock on the wall.
        let tally = jobs.ledger("watch").unwrap().tally();
        assert_eq!((tally.paused, tally.missed, tally.ran), (8, 0, 7), "{policy}: {:?}", seen.take());
        jobs.shutdown().await;
    }
}

/// A run that waits long for the pool is late as well, and is not made up for.
#[tokio::test(start_paused = true)]
async fn a_run_that_waited_is_late() {
    let clock = clock("2026-03-02 12:59:30");
    let seen = Seen::default();
    let jobs = jobs::start(config(&clock).state(seen.clone()).pool(1)).await.unwrap();
    let full = jobs.now(jobs::func("full", std::future::pending::<()>)).await.unwrap();
    jobs.schedule("@hourly", Watch).await.unwrap();
    clock.advance(SECOND * 89).await;
    full.cancel().await;
    clock.advance(SECOND).await;
    assert_eq!(seen.take(), ["02 13:00"], "by a minute");
    let full = jobs.now(jobs::func("full", std::future::pending::<()>)).await.unwrap();
    clock.advance(HOUR).await;
    clock.advance(SECOND * 31).await;
    full.cancel().await;
    clock.advance(SECOND).await;
    assert_eq!(seen.take(), ["02 14:00!"], "by more");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_none_is_refused() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, _) = started(&clock, "allow").await;
    let error = jobs.schedule("@hourly", Watch).missed("al").await.unwrap_err();
    let text = error.to_string();
    assert!(error.is_schedule() && text.contains("`al`") && text.contains("did you mean `all`?"), "{text}");
    assert!(text.contains("missed.rs:"), "{text}");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_ledger_says_when_it_was_noticed_and_why() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, _) = started(&clock, "allow").await;
    jobs.schedule("@hourly", Watch).await.unwrap();
    clock.suspend(HOUR * 2).await;
    clock.step(TimeDelta::hours(2)).await;
    let texts: Vec<_> =
        jobs.ledger("watch").unwrap().entries().iter().map(|entry| entry.to_string()).collect();
    assert_eq!(
        texts,
        [
            "2026-03-02 13:00:00 to 2026-03-02 14:00:00 UTC, 2 slots: missed, since the machine slept; \
             noticed at 2026-03-02 14:30:00",
            "2026-03-02 15:00:00 to 2026-03-02 16:00:00 UTC, 2 slots: missed, since the clock was set forward; \
             noticed at 2026-03-02 16:30:00.001",
        ]
    );
    assert_eq!(jobs.ledger("watch").unwrap().entries()[1].noticed_at, utc("2026-03-02 16:30:00.001"));
    jobs.shutdown().await;
}
