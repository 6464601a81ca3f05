//! What becomes of slots when the clock is set or the machine sleeps.
//!
//! The rule, in one sentence: a cron slot fires when the clock on the wall first reaches it or jumps over it by no more
//! than a minute, never before and never twice; one that is jumped over by more is missed, and so are all but the last
//! of those that are jumped over with it; what is missed comes again if the clock is set back to before it. An interval
//! counts elapsed time, and no setting of the clock moves it.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::testing::TestClock;
use jobs::{JobContext, Jobs, Schedule, job};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use support::{DAY, HOUR, Log, MINUTE, SECOND, clock, config, note};

#[job(rate = "2/1h")]
async fn rated(#[state] log: &Log, cx: &JobContext) {
    log.add("rated", cx);
}

async fn started(clock: &TestClock) -> (Jobs, Log) {
    let log = Log::default();
    (jobs::start(config(clock).state(log.clone()).self_concurrent(true)).await.unwrap(), log)
}

fn missed(jobs: &Jobs) -> u64 {
    jobs.snapshot().job("note").unwrap().schedules[0].missed
}

/// The slots as `12:00:00`, however late they started.
fn slots(log: &Log) -> Vec<String> {
    log.take().iter().map(|entry| entry.slot.unwrap().format("%H:%M:%S").to_string()).collect()
}

/// A timer that wakes before its slot, since the clock was set back a little meanwhile, arms for the same slot.
#[tokio::test(start_paused = true)]
async fn an_early_wake_up_arms_for_the_same_slot() {
    let clock = clock("2026-03-02 11:59:30");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 0 * * * *", note("a")).await.unwrap();
    for _ in 0..20 {
        clock.advance(Duration::from_millis(1_400)).await;
        clock.step(TimeDelta::milliseconds(-300)).await;
    }
    assert!(clock.now() < support::utc("2026-03-02 12:00:00"));
    assert_eq!(log.len(), 0);
    clock.advance(MINUTE).await;
    assert_eq!(log.slots(), ["12:00:00"]);
    clock.advance(HOUR).await;
    assert_eq!(log.slots(), ["13:00:00"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn set_back_a_little_no_slot_fires_twice() {
    let clock = clock("2026-03-02 11:59:30");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("*/10 * * * * *", note("a")).await.unwrap();
    clock.advance(SECOND * 31).await;
    assert_eq!(log.slots(), ["11:59:40", "11:59:50", "12:00:00"]);
    clock.step(TimeDelta::seconds(-15)).await;
    clock.advance(SECOND * 35).await;
    assert_eq!(log.slots(), ["12:00:10", "12:00:20"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn set_forward_by_hours_slots_are_missed_and_counted() {
    let clock = clock("2026-03-02 12:00:30");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 */10 * * * *", note("a")).await.unwrap();
    clock.step(TimeDelta::hours(3)).await;
    assert_eq!((missed(&jobs), slots(&log)), (17, vec!["15:00:00".to_owned()]), "15:00 is late by 30 s");
    clock.advance(MINUTE * 20).await;
    assert_eq!(log.slots(), ["15:10:00", "15:20:00"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn set_back_by_hours_a_schedule_goes_on_behind_what_it_has_done() {
    let clock = clock("2026-03-02 12:00:30");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 */30 * * * *", note("a")).await.unwrap();
    clock.advance(HOUR).await;
    assert_eq!(log.slots(), ["12:30:00", "13:00:00"]);
    clock.step(TimeDelta::hours(-3)).await;
    clock.advance(HOUR * 4).await;
    // Those before it was added are new to it.
    let wanted = ["10:30:00", "11:00:00", "11:30:00", "12:00:00", "13:30:00", "14:00:00"];
    assert_eq!(log.slots(), wanted);
    jobs.shutdown().await;
}

/// A clock that somebody sets to next year by mistake, and back.
#[tokio::test(start_paused = true)]
async fn set_forth_by_a_year_and_back_a_schedule_goes_on() {
    let clock = clock("2026-03-02 12:00:30");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 * * * * *", note("a")).await.unwrap();
    clock.advance(MINUTE).await;
    assert_eq!(log.slots(), ["12:01:00"]);
    clock.step(TimeDelta::days(365)).await;
    clock.advance(MINUTE).await;
    let fired = log.take();
    assert_eq!(fired.len(), 2, "the one that has just passed, and the one that came: {fired:?}");
    assert_eq!(missed(&jobs), 365 * 1440 - 1);
    clock.step(TimeDelta::days(-365)).await;
    clock.advance(MINUTE * 3).await;
    assert_eq!(log.slots(), ["12:03:00", "12:04:00", "12:05:00"]);
    jobs.shutdown().await;
}

/// A laptop that slept an hour runs a job of every second once, and not sixty times.
#[tokio::test(start_paused = true)]
async fn after_a_suspension_only_the_last_slot_fires() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("* * * * * *", note("a")).await.unwrap();
    clock.suspend(HOUR).await;
    assert_eq!((missed(&jobs), slots(&log)), (3599, vec!["13:00:00".to_owned()]));
    // A step that passes over no more than a minute fires them all.
    clock.step(TimeDelta::seconds(60)).await;
    assert_eq!((missed(&jobs), log.len()), (3599, 60));
    log.take();
    clock.step(TimeDelta::seconds(62)).await;
    assert_eq!((missed(&jobs), slots(&log)), (3660, vec!["13:02:02".to_owned()]));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_suspension_misses_slots_and_counts_for_intervals() {
    let clock = clock("2026-03-02 12:00:30");
    let (jobs, log) = started(&clock).await;
    jobs.every(MINUTE * 10, note("a")).await.unwrap();
    clock.suspend(MINUTE * 35).await;
    assert_eq!((missed(&jobs), slots(&log)), (3, vec![]));
    clock.advance(MINUTE * 6).await;
    assert_eq!(log.slots(), ["12:40:30"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn intervals_and_delays_are_unmoved_by_steps() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.every(MINUTE * 10, note("every")).await.unwrap();
    jobs.after(MINUTE * 15, note("after")).await.unwrap();
    clock.advance(MINUTE * 5).await;
    clock.step(TimeDelta::hours(-7)).await;
    clock.advance(MINUTE * 4).await;
    clock.step(TimeDelta::days(40)).await;
    assert_eq!(log.len(), 0);
    clock.advance(MINUTE + SECOND).await;
    assert_eq!(log.tags(), ["every"]);
    clock.advance(MINUTE * 5).await;
    assert_eq!(log.tags(), ["after"]);
    assert_eq!(missed(&jobs), 0);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_for_an_instant_follows_the_clock() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.at(support::utc("2026-03-02 18:00:00"), note("at")).await.unwrap();
    clock.advance(HOUR * 5).await;
    clock.step(TimeDelta::hours(-2)).await;
    clock.advance(HOUR * 2).await;
    assert_eq!(log.len(), 0);
    clock.step(TimeDelta::hours(2)).await;
    assert_eq!(log.tags(), ["at"], "an instant that was jumped over has come");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn every_instance_on_a_clock_notices_its_steps() {
    let clock = clock("2026-03-02 12:00:00");
    let (one, one_log) = started(&clock).await;
    let (other, other_log) = started(&clock).await;
    for jobs in [&one, &other] {
        jobs.schedule("0 0 13 * * *", note("a")).await.unwrap();
    }
    clock.step(TimeDelta::hours(1)).await;
    assert_eq!((one_log.slots(), other_log.slots()), (vec!["13:00:00".into()], vec!["13:00:00".into()]));
    one.shutdown().await;
    other.shutdown().await;
}

// The same against a model.

#[derive(Debug, Clone, Copy)]
enum Event {
    Advance(u32),
    Step(i64),
    Suspend(u32),
    Pause,
    Resume,
}

/// A schedule as the rule has it: nothing but the slots that have come.
struct Model {
    schedule: Schedule,
    wall: DateTime<Utc>,
    come: BTreeSet<DateTime<Utc>>,
    paused: bool,
    ran: Vec<DateTime<Utc>>,
    /// Ran and paused.
    tally: (u64, u64),
    missed: BTreeSet<DateTime<Utc>>,
}

impl Model {
    /// The clock goes to `to`, whatever the way.
    fn reach(&mut self, to: DateTime<Utc>, at_once: bool) {
        if to > self.wall {
            let slots = self.schedule.upcoming(self.wall).take_while(|slot| *slot <= to);
            let new: Vec<_> = slots.filter(|slot| !self.come.contains(slot)).collect();
            let late = |slot: &DateTime<Utc>| to - *slot <= TimeDelta::seconds(60);
            // What passes unseen while the job is paused is paused, and not missed.
            let some_missed = at_once && !self.paused && new.first().is_some_and(|first| !late(first));
            for (i, slot) in new.iter().enumerate() {
                if some_missed && (i + 1 < new.len() || !late(slot)) {
                    self.missed.insert(*slot);
                    continue;
                }
                self.come.insert(*slot);
                if self.paused {
                    self.tally.1 += 1;
                } else {
                    self.tally.0 += 1;
                    self.ran.push(*slot);
                }
            }
        }
        // Those behind it come again.
        self.missed.retain(|slot| *slot <= to);
        self.wall = to;
    }
}

const SPECS: [&str; 6] = [
    "*/20 * * * * *",
    "0 * * * * *",
    "0 */15 * * * *",
    "30 10,40 2,3,12 * * *",
    "TZ=America/New_York 0 30 1,2 * * *",
    "TZ=America/New_York 0 */20 * * * *",
];

async fn against_the_model(spec: &str, start: &str, events: &[Event]) {
    let clock = clock(start);
    let (jobs, log) = started(&clock).await;
    jobs.schedule(spec, note("a")).await.unwrap();
    // Never below one second, so that no interval's slot falls on another event.
    jobs.every(Duration::from_millis(41_300), note("interval")).await.unwrap();
    let mut model = Model {
        schedule: Schedule::parse(spec).unwrap(),
        wall: support::utc(start),
        come: BTreeSet::new(),
        paused: false,
        ran: Vec::new(),
        tally: (0, 0),
        missed: BTreeSet::new(),
    };
    let (mut elapsed, mut interval, mut interval_tally) = (0_u64, 41_300_u64, (0_u64, 0_u64, 0_u64));
    let settle = TimeDelta::milliseconds(1);
    for event in events {
        let mut passes = |millis: u64, at_once: bool, paused: bool| {
            elapsed += millis;
            let some_missed = at_once && !paused && elapsed > interval + 60_000;
            while interval <= elapsed {
                let is_last = elapsed < interval + 41_300;
                if some_missed && !is_last {
                    interval_tally.1 += 1;
                } else if paused {
                    interval_tally.2 += 1;
                } else {
                    interval_tally.0 += 1;
                }
                interval += 41_300;
            }
        };
        match *event {
            Event::Advance(seconds) => {
                model.reach(model.wall + TimeDelta::seconds(seconds.into()) + settle, false);
                passes(u64::from(seconds) * 1000 + 1, false, model.paused);
                clock.advance(SECOND * seconds).await;
            }
            Event::Step(seconds) => {
                model.reach(model.wall + TimeDelta::seconds(seconds), true);
                model.reach(model.wall + settle, false);
                passes(1, false, model.paused);
                clock.step(TimeDelta::seconds(seconds)).await;
            }
            Event::Suspend(seconds) => {
                model.reach(model.wall + TimeDelta::seconds(seconds.into()), true);
                model.reach(model.wall + settle, false);
                passes(u64::from(seconds) * 1000, true, model.paused);
                passes(1, false, model.paused);
                clock.suspend(SECOND * seconds).await;
            }
            Event::Pause => {
                model.paused = true;
                jobs.pause("note").await.unwrap();
            }
            Event::Resume => {
                model.paused = false;
                jobs.resume("note").await.unwrap();
            }
        }
        assert_eq!(clock.now(), model.wall, "the model's clock");
        let entries = log.take();
        let ran: Vec<_> = entries.iter().filter(|e| e.tag == "a").map(|e| e.slot.unwrap()).collect();
        assert_eq!(ran, std::mem::take(&mut model.ran), "after {event:?}");
        for entry in &entries {
            assert!(entry.started >= entry.slot.unwrap(), "early: {entry:?}");
        }
        let snapshot = jobs.snapshot();
        let job = snapshot.job("note").unwrap();
        for schedule in &job.schedules {
            let tally = (schedule.ran, schedule.missed, schedule.paused);
            let ((ran, paused), missed) = (model.tally, model.missed.len() as u64);
            let wanted = if schedule.zone.is_some() { (ran, missed, paused) } else { interval_tally };
            assert_eq!((tally, schedule.skipped), (wanted, 0), "{} after {event:?}", schedule.key);
            assert!(schedule.next.unwrap() > model.wall, "{schedule:?}");
        }
        let next = model.schedule.upcoming(model.wall).find(|slot| !model.come.contains(slot));
        let told = job.schedules.iter().find(|schedule| schedule.zone.is_some()).unwrap().next;
        assert_eq!(told, next, "the next slot after {event:?}");
    }
    jobs.shutdown().await;
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..400_u32).prop_map(Event::Advance),
        2 => (0..20_000_u32).prop_map(Event::Advance),
        3 => (-100..100_i64).prop_map(Event::Step),
        3 => (-20_000..20_000_i64).prop_map(Event::Step),
        1 => prop_oneof![Just(Event::Step(86_400 * 5)), Just(Event::Step(-86_400 * 5))],
        2 => (1..200_u32).prop_map(Event::Suspend),
        1 => (1..100_000_u32).prop_map(Event::Suspend),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
    ]
}

/// Random sequences of everything that can happen to a clock. Proptest prints the smallest that fails.
#[test]
fn agrees_with_the_rule_whatever_happens_to_the_clock() {
    // Also where the clocks change in New York.
    let starts =
        ["2026-03-02 11:59:30.5", "2026-03-07 23:00:10.5", "2026-11-01 03:10:20.5", "2026-12-31 23:59:58.5"];
    let cases = (0..SPECS.len(), 0..starts.len(), prop::collection::vec(event(), 1..16));
    let mut runner = TestRunner::new(Cases { cases: 64, failure_persistence: None, ..Cases::default() });
    let outcome = runner.run(&cases, |(spec, start, events)| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(against_the_model(SPECS[spec], starts[start], &events));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}\n{runner}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_of_seconds_fires_each_once() {
    let clock = clock("2026-03-02 00:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("* * * * * *", note("a")).await.unwrap();
    clock.advance(DAY).await;
    let slots: BTreeSet<_> = log.take().into_iter().map(|entry| entry.slot).collect();
    assert_eq!(slots.len(), 86_400);
    jobs.shutdown().await;
}

/// At 12:00:30, and the scheduler has just died: nobody looks at the clock for a while.
async fn with_a_dead_scheduler(clock: &TestClock) -> (Jobs, Log) {
    let (jobs, log) = started(clock).await;
    jobs.schedule("30 0 12 * * *", note("slot")).await.unwrap();
    clock.advance(SECOND * 29).await;
    jobs::testing::kill_scheduler(&jobs);
    clock.advance(SECOND).await;
    assert_eq!(log.tags(), ["slot"]);
    (jobs, log)
}

/// ```text
/// scheduler dies   the machine sleeps, and what follows waits ten seconds from here     it lives again, and looks at the clock
/// ──────┼─────────────────────────────────────┼───────────────────────────────────────────────┼─────────────
/// ```
#[tokio::test(start_paused = true)]
async fn what_is_told_to_wait_before_anybody_has_noticed_a_sleep_waits_all_the_same() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = with_a_dead_scheduler(&clock).await;
    clock.suspend(HOUR).await;
    let delayed = jobs.after(SECOND * 10, note("delayed")).await.unwrap();
    let unique = jobs.after(SECOND * 10, note("unique")).unique().await.unwrap();
    jobs.every(SECOND * 10, note("interval")).await.unwrap();
    jobs.fixed_delay(SECOND * 10, note("rest")).await.unwrap();
    let due = support::utc("2026-03-02 13:00:40");
    for run in [delayed, unique] {
        let said = run.snapshot().unwrap().due_at.unwrap();
        assert!((said - due).num_seconds() == 0, "{said}");
    }
    clock.advance(SECOND * 9).await;
    assert_eq!(log.tags(), [""; 0]);
    clock.advance(SECOND).await;
    let mut tags = log.tags();
    tags.sort();
    assert_eq!(tags, ["delayed", "interval", "rest", "unique"]);
    jobs.shutdown().await;
}

/// A rate that is used up before anybody has noticed a sleep is not filled by it afterwards.
#[tokio::test(start_paused = true)]
async fn what_elapsed_in_a_sleep_counts_for_a_rate_once() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = with_a_dead_scheduler(&clock).await;
    clock.suspend(HOUR * 5).await;
    for _ in 0..5 {
        jobs.now(rated {}).await.unwrap();
    }
    clock.advance(MINUTE).await;
    assert_eq!(log.tags(), ["rated"; 2]);
    clock.advance(HOUR).await;
    assert_eq!(log.tags(), ["rated"; 2]);
    jobs.shutdown().await;
}
