//! Slots that fire a little later than their time, so that not all start at once.

mod support;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::Jobs;
use jobs::testing::TestClock;
use support::{DAY, HOUR, Log, MINUTE, SECOND, clock, config, note, utc};

async fn started(clock: &TestClock) -> (Jobs, Log) {
    let log = Log::default();
    (jobs::start(config(clock).state(log.clone()).self_concurrent(true)).await.unwrap(), log)
}

/// Slots with how much later each started, the millisecond of the timer left off.
fn delays(log: &Log) -> Vec<(DateTime<Utc>, TimeDelta)> {
    let delay = |entry: support::Entry| {
        let slot = entry.slot.unwrap();
        (slot, entry.started - slot)
    };
    log.take().into_iter().map(delay).collect()
}

/// ```text
/// :00        :30          :00        :30
///  |──jitter──|            |──jitter──|
///       ^                    ^                  somewhere in between, always at the same places
/// ```
#[tokio::test(start_paused = true)]
async fn a_slot_fires_later_by_less_than_the_jitter_and_keeps_its_name() {
    let clock = clock("2026-03-02 12:00:10");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("* * * * *", note("a")).jitter(SECOND * 30).await.unwrap();
    let snapshot = jobs.snapshot();
    let schedule = &snapshot.job("note").unwrap().schedules[0];
    assert_eq!(schedule.jitter, Some(SECOND * 30));
    assert_eq!(schedule.next, Some(utc("2026-03-02 12:01:00")), "the slot itself");
    clock.advance(DAY + SECOND * 30).await;
    let delays = delays(&log);
    assert_eq!(delays.len(), 1440);
    let mut distinct = BTreeSet::new();
    for (at, (slot, delay)) in delays.iter().enumerate() {
        assert_eq!(*slot, utc("2026-03-02 12:01:00") + TimeDelta::minutes(at as i64));
        assert!((TimeDelta::zero()..TimeDelta::seconds(30)).contains(delay), "{slot}: {delay}");
        distinct.insert(*delay);
    }
    assert!(distinct.len() > 1000, "{}", distinct.len());
    let entries = jobs.ledger("note").unwrap().entries();
    assert_eq!((entries.len(), entries[0].count), (1, 1440));
    assert_eq!(entries[0].to, utc("2026-03-03 12:00:00"), "the ledger names the slots");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn it_never_passes_the_next_slot() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("*/10 * * * * *", note("cron")).jitter(HOUR).await.unwrap();
    jobs.every(SECOND * 10, note("interval")).jitter(HOUR).await.unwrap();
    clock.advance(MINUTE * 30 + SECOND * 9).await;
    for tag in ["cron", "interval"] {
        let started: Vec<_> = {
            let entries = log.take();
            let (own, other): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.tag == tag);
            other.into_iter().for_each(|entry| log.put(entry));
            own
        };
        assert!((179..=180).contains(&started.len()), "{tag}: {}", started.len());
        for entry in started {
            let delay = entry.started - entry.slot.unwrap();
            assert!((TimeDelta::zero()..=TimeDelta::seconds(10)).contains(&delay), "{tag}: {delay}");
        }
    }
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn equal_schedules_part_and_an_instance_of_the_same_seed_repeats_them() {
    let run = async || {
        let clock = clock("2026-03-02 12:00:00");
        let (jobs, log) = started(&clock).await;
        for tag in ["a", "b"] {
            jobs.schedule("@hourly", note(tag)).jitter(MINUTE * 10).await.unwrap();
        }
        clock.advance(DAY + MINUTE * 11).await;
        jobs.shutdown().await;
        let (a, b): (Vec<_>, Vec<_>) = log.take().into_iter().partition(|entry| entry.tag == "a");
        let starts =
            |entries: Vec<support::Entry>| entries.into_iter().map(|entry| entry.started).collect::<Vec<_>>();
        (starts(a), starts(b))
    };
    let (a, b) = run().await;
    assert_eq!((a.len(), b.len()), (24, 24));
    let same = a.iter().zip(&b).filter(|(a, b)| a == b).count();
    assert!(same < 3, "{same}");
    assert_eq!(run().await, (a, b));
}

/// A slot whose time has come and whose delay has not yet passed is neither late nor missed.
#[tokio::test(start_paused = true)]
async fn a_slot_that_waits_for_its_delay_survives_a_sleep_and_a_step() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).jitter(MINUTE * 50).await.unwrap();
    let mut come = Vec::new();
    for _ in 0..40 {
        // Three hours, in jumps over the slots.
        clock.suspend(MINUTE * 3).await;
        clock.advance(SECOND * 90).await;
        come.append(&mut delays(&log));
    }
    let tally = jobs.ledger("note").unwrap().tally();
    assert_eq!((tally.total(), tally.ran), (come.len() as u64 + tally.missed, come.len() as u64));
    let mut slots: Vec<_> = come.iter().map(|(slot, _)| *slot).collect();
    slots.dedup();
    assert_eq!(slots.len(), come.len(), "none came twice");
    assert!(tally.ran >= 1 && come.iter().all(|(_, delay)| *delay < TimeDelta::minutes(51)), "{come:?}");
    jobs.shutdown().await;
}

/// ```text
///     :00            :10  :09              :59
///      |─ held back ──┤ set back a minute
///                          |─────── f ──────|    it fires all the same
/// ```
#[tokio::test(start_paused = true)]
async fn a_slot_that_waits_for_its_delay_survives_a_clock_that_is_set_back() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).jitter(MINUTE * 50).await.unwrap();
    for hour in 13..37 {
        clock.advance_to(utc("2026-03-02 00:10:00") + TimeDelta::hours(hour)).await;
        clock.step(TimeDelta::minutes(-1)).await;
        clock.advance_to(utc("2026-03-02 00:59:00") + TimeDelta::hours(hour)).await;
        let slots: Vec<_> = log.take().into_iter().map(|entry| entry.slot.unwrap()).collect();
        assert_eq!(slots, [utc("2026-03-02 00:00:00") + TimeDelta::hours(hour)]);
    }
    let tally = jobs.ledger("note").unwrap().tally();
    assert_eq!((tally.total(), tally.ran), (24, 24));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_jitter_of_nothing_is_none() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).jitter(std::time::Duration::ZERO).await.unwrap();
    clock.advance(HOUR).await;
    assert_eq!(log.slots(), ["13:00:00"]);
    assert_eq!(jobs.snapshot().job("note").unwrap().schedules[0].jitter, None);
    jobs.shutdown().await;
}
