//! The plan, looked at by hand.

use super::super::history::History;
use super::*;
use crate::job::body::Template;
use crate::job::options::SlotOptions;
use crate::job::slot::LATE;
use crate::registry::Timing;
use crate::schedule::Schedule;

const START: i64 = 1_800_000_000; // 2027-01-15 08:00:00

fn reading(seconds: u64) -> Reading {
    at(seconds * 1_000_000_000, 0)
}

/// So many nanoseconds after the start, with the clock on the wall set by so many seconds.
fn at(nanos: u64, set: i64) -> Reading {
    let elapsed = Duration::from_nanos(nanos);
    let wall = Timestamp::from_nanos((START + set) * 1_000_000_000).saturating_add(elapsed);
    Reading { elapsed: Elapsed::ZERO.saturating_add(elapsed), wall }
}

#[test]
fn timers_that_no_longer_count_are_swept_out() {
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    let mut runs = Slab::new();
    let kept = runs.insert(());
    timers.delay(kept, Delay::For(Duration::from_secs(86_400)), reading(0));
    for second in 0..10_000 {
        let run = runs.insert(());
        timers.delay(run, Delay::For(Duration::from_secs(86_400 * 365)), reading(second));
        runs.remove(run);
        if timers.is_crowded() {
            timers.sweep(|run| runs.get(run).is_some());
        }
    }
    assert!(timers.elapsed.len() <= FIRST_SWEEP, "{} timers are armed", timers.elapsed.len());
    let mut come = Come::default();
    timers.take_due(reading(86_400), &mut come);
    assert_eq!(come.releases, [kept]);
}

pub(in super::super) fn job() -> JobIx {
    let mut memory = crate::store::memory::Memory::new(0);
    let name = crate::job::name::JobName::Static("a");
    let overlap = jobs_syntax::Overlap::Skip;
    let info = crate::job::info::JobInfo {
        name,
        descriptor: None,
        overlap,
        attempts: crate::job::options::AttemptOptions::DEFAULT,
        limits: crate::job::options::Limits::DEFAULT,
        enabled: true,
        is_func: true,
    };
    memory.bind_job(info).unwrap()
}

fn add(timers: &mut Timers, spec: &str, now: Reading) -> (ScheduleKey, bool) {
    fn never() -> crate::job::body::Erased {
        unreachable!("nothing is executed here")
    }
    let schedule = Schedule::parse(spec).unwrap();
    let schedule = Resolved {
        timing: Timing::At(schedule),
        template: Template::Make(never),
        identity: Identity::default(),
        options: SlotOptions::default(),
    };
    let Added { key, wake, .. } = timers.add(job(), schedule, true, now).unwrap();
    (key, wake)
}

/// One look at the plan: the slots that came, in seconds and nanoseconds after the start.
fn look(timers: &mut Timers, now: Reading) -> Vec<(i64, i64)> {
    let mut come = Come::default();
    let mut slots = Vec::new();
    // As long as the plan wants to be looked at at once.
    loop {
        timers.take_due(now, &mut come);
        let second = 1_000_000_000;
        let slot = |firing: Firing| {
            (firing.occasion.slot.at.as_nanos() / second - START, firing.occasion.slot.at.as_nanos() % second)
        };
        slots.extend(come.firings.drain(..).map(slot));
        timers.tally(now, &mut come, &mut Vec::new());
        timers.plan(now, Cause::Stalled, |_| false, &mut come);
        if timers.next_wake(now) != Some(Duration::ZERO) {
            return slots;
        }
    }
}

#[test]
fn a_look_before_the_slot_finds_nothing_and_sleeps_until_it() {
    let mut timers = Timers::new(at(0, 0), 0, Keep::DEFAULT);
    add(&mut timers, "30 * * * * *", at(0, 0));
    // Every nanosecond counts: the wheel's tick is one of a millisecond.
    for early in [1, 999_999, 1_000_000, 1_000_001, 20_000_000_000] {
        let now = at(30_000_000_000 - early, 0);
        assert_eq!(look(&mut timers, now), [], "{early} ns before");
        let nap = timers.next_wake(now).unwrap();
        assert!(nap <= Duration::from_nanos(early), "{early} ns before it sleeps for {nap:?}");
        // It may look once or twice on the way, but it does not spin.
        assert!(nap >= Duration::from_nanos(early / 64), "{early} ns before it sleeps for {nap:?}");
    }
    assert_eq!(look(&mut timers, at(30_000_000_000, 0)), [(30, 0)]);
    assert_eq!(look(&mut timers, at(30_000_000_000, 0)), []);
    assert_eq!(look(&mut timers, at(89_999_999_999, 0)), []);
    // Late by a little, it is the slot of its time.
    assert_eq!(look(&mut timers, at(90_123_456_789, 0)), [(90, 0)]);
}

#[test]
fn an_interval_keeps_its_fraction_and_its_slots_follow_the_clock_on_the_wall() {
    let mut timers = Timers::new(at(500, 0), 0, Keep::DEFAULT);
    let (key, _) = add(&mut timers, "@every 1m0.25s", at(500, 0));
    assert_eq!(look(&mut timers, at(60_250_999_999, 0)), []);
    // Within the millisecond, and by its own name.
    assert_eq!(look(&mut timers, at(60_251_000_000, 0)), [(60, 250_000_500)]);
    // Set to an hour later: the same moment has another name.
    assert_eq!(look(&mut timers, at(120_600_000_000, 3600)), [(3720, 500_000_500)]);
    let planned = timers.get(key).unwrap();
    assert_eq!(planned.next_slot(at(120_600_000_000, 3600)).unwrap().as_nanos() % 1_000_000_000, 750_000_500);
    // And set back by a day, nothing comes twice.
    assert_eq!(look(&mut timers, at(120_600_000_000, -86_400)), []);
    assert_eq!(look(&mut timers, at(180_751_000_000, -86_400)), [(180 - 86_400, 750_000_500)]);
}

#[test]
fn a_slot_is_late_for_a_minute_and_then_missed() {
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    let (key, _) = add(&mut timers, "0 * * * * *", reading(0));
    let missed = |timers: &Timers| timers.get(key).unwrap().ledger.tally().missed;
    assert_eq!(look(&mut timers, reading(120)), [(60, 0), (120, 0)], "one of them late by exactly a minute");
    assert_eq!(look(&mut timers, at(240_000_000_001, 0)), [(240, 0)], "the other late by more");
    assert_eq!(missed(&timers), 1);
    assert_eq!(look(&mut timers, reading(330 + 60 * 200_000)).len(), 1);
    assert_eq!(missed(&timers), 200_001, "counted without a limit");
}

/// ```text
///  10 20 30 40 50 60 70    now 75     noticed at 15 + 60: the slot at 10 was missed
///   m  m  m  m  m  m  f
/// ```
#[test]
fn with_a_slot_missed_only_the_last_of_those_that_came_fires() {
    for spec in ["*/10 * * * * *", "@every 10s"] {
        let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
        let (key, _) = add(&mut timers, spec, reading(0));
        let missed = |timers: &Timers| timers.get(key).unwrap().ledger.tally().missed;
        // A stall of a minute: each is late by no more than a minute, and fires.
        let stalled: Vec<_> = (1..=7).map(|i| (10 * i, 0)).collect();
        assert_eq!(look(&mut timers, reading(70)), stalled, "{spec}");
        assert_eq!(missed(&timers), 0, "{spec}");
        // Of another that is longer by a little, only the last.
        assert_eq!(look(&mut timers, reading(145)), [(140, 0)], "{spec}");
        assert_eq!(missed(&timers), 6, "{spec}");
        // It goes on from there.
        assert_eq!(look(&mut timers, reading(159)), [(150, 0)], "{spec}");
        assert_eq!(missed(&timers), 6, "{spec}");
    }
    // None of them is only late.
    for spec in ["0 */10 * * * *", "@every 10m"] {
        let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
        let (key, _) = add(&mut timers, spec, reading(0));
        assert_eq!(look(&mut timers, reading(3600 + 61)), [], "{spec}");
        assert_eq!(timers.get(key).unwrap().ledger.tally().missed, 6, "{spec}");
        assert_eq!(look(&mut timers, reading(4200)), [(4200, 0)], "{spec}");
    }
}

/// A look at the plan after a jump over half a century, for every schedule there is.
#[test]
fn a_jump_over_years_counts_all_slots_and_visits_hardly_any() {
    let specs = ["0 * * * * *", "* * * * * *", "TZ=Europe/Oslo 0 */5 * * * *", "@every 10ms"];
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    let keys = specs.map(|spec| add(&mut timers, spec, reading(0)).0);
    let days = 365 * 56;
    let mut come = Come::default();
    let now = reading(days * 86_400);
    timers.take_due(now, &mut come);
    assert!(come.firings.is_empty());
    let missed = timers.plan(now, Cause::Stalled, |_| false, &mut come);
    let each = [days * 1440 - 1, days * 86_400 - 1, days * 288 - 1, days * 8_640_000 - 1];
    assert_eq!(keys.map(|key| timers.get(key).unwrap().ledger.tally().missed), each);
    assert_eq!((missed.schedules, missed.slots), (4, each.iter().sum()));
    // The last slots, and nothing more.
    timers.take_due(now, &mut come);
    assert_eq!(come.firings.len(), 4);
    assert_eq!(timers.plan(now, Cause::Stalled, |_| false, &mut come), MissedCount::default());
}

#[test]
fn it_is_woken_for_what_comes_earlier_than_it_sleeps_and_once() {
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    assert!(timers.next_wake(reading(0)).is_none());
    timers.sleep_until(reading(100).elapsed);
    assert!(!add(&mut timers, "@every 100s", reading(0)).1);
    assert!(add(&mut timers, "@every 50s", reading(0)).1);
    assert!(!add(&mut timers, "@every 20s", reading(0)).1, "it has been woken already, and will look");
    assert!(timers.next_wake(reading(0)).unwrap() <= Duration::from_secs(20));
    timers.sleep_until(reading(20).elapsed);
    let mut runs = Slab::new();
    let run = runs.insert(());
    assert!(!timers.delay(run, Delay::At(reading(21).wall), reading(5)));
    assert!(timers.delay(run, Delay::At(reading(1).wall), reading(5)), "an instant that has passed");
}

#[test]
fn keys_are_numbered_and_numbers_are_freed_from_the_top() {
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    let keys: Vec<_> = (0..3).map(|_| add(&mut timers, "@daily", reading(0)).0).collect();
    let number = |timers: &Timers, key| timers.get(key).map(|planned| planned.identity.repeat);
    assert_eq!(keys.iter().map(|key| number(&timers, *key)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert!(timers.remove(keys[0]).is_some());
    assert!(timers.remove(keys[0]).is_none());
    // The first is in use no more, but the numbers of the others must not change.
    let (fourth, _) = add(&mut timers, "@daily", reading(0));
    assert_eq!(number(&timers, fourth), Some(4));
    assert!(timers.remove(fourth).is_some());
    let (again, _) = add(&mut timers, "@daily", reading(0));
    assert_eq!(number(&timers, again), Some(4));
    for key in [keys[1], keys[2], again] {
        assert!(timers.remove(key).is_some());
    }
    assert!(timers.repeats.is_empty(), "nothing is left of a key that nobody has");
    let (first, _) = add(&mut timers, "@daily", reading(0));
    assert_eq!(number(&timers, first), Some(1));
}

#[test]
fn what_is_removed_or_closed_comes_no_more() {
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    let (key, _) = add(&mut timers, "* * * * * *", reading(0));
    assert_eq!(look(&mut timers, reading(1)).len(), 1);
    timers.remove(key);
    assert_eq!(look(&mut timers, reading(2)), []);
    add(&mut timers, "* * * * * *", reading(2));
    timers.close();
    let mut come = Come::default();
    timers.take_due(reading(10), &mut come);
    assert!(come.firings.is_empty() && come.releases.is_empty());
}

#[test]
fn a_history_knows_its_spans_and_forgets_gaps_before_slots() {
    let time = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
    let mut history = History::default();
    assert_eq!(history.end_of_span_at(time(5)), None);
    history.add(time(10), time(20));
    history.add(time(40), time(40));
    for (at, end) in [(9, None), (10, Some(20)), (20, Some(20)), (21, None), (40, Some(40)), (41, None)] {
        assert_eq!(history.end_of_span_at(time(at)), end.map(time), "{at}");
    }
    // One that holds others takes their place.
    history.add(time(5), time(50));
    assert_eq!(history.0.as_deref().map(Vec::len), Some(1));
    // Too many: what came stays known, in the past what did not is given up.
    for i in 0..100 {
        history.add(time(1000 + 10 * i), time(1003 + 10 * i));
        assert!(history.0.as_deref().is_some_and(|spans| spans.len() <= History::KEPT));
        for j in 0..=i {
            assert!(history.end_of_span_at(time(1000 + 10 * j)).is_some(), "{j} of {i}");
        }
    }
    assert_eq!(history.end_of_span_at(time(1995)), None, "a gap of late");
    assert!(history.end_of_span_at(time(1005)).is_some(), "a gap of long ago");
}

#[test]
fn a_task_that_dies_with_slots_in_its_hands_loses_no_schedule_and_doubles_no_slot() {
    for spec in ["0 * * * * *", "@every 1m"] {
        let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
        let (key, _) = add(&mut timers, spec, reading(0));
        let die = |timers: &mut Timers, now| {
            let mut come = Come::default();
            timers.take_due(now, &mut come);
            assert_eq!(come.firings.len(), 1, "{spec}");
            drop(come);
            timers.rearm(now);
        };
        die(&mut timers, reading(60));
        // The clock on the wall was slewed by a little meanwhile, so that the slot of an interval has another name.
        let slewed = |seconds: u64| at(seconds * 1_000_000_000 + 1_000_000, 0);
        let slewed = |seconds| Reading { wall: slewed(seconds).wall, ..reading(seconds) };
        assert_eq!(look(&mut timers, slewed(61)), [], "{spec}");
        die(&mut timers, reading(120));
        // It comes back so late that the slot would be a missed one.
        assert_eq!(look(&mut timers, reading(239)), [(180, 0)], "{spec}");
        assert_eq!(timers.get(key).unwrap().ledger.tally().missed, 0, "{spec}");
        assert_eq!(look(&mut timers, reading(240)), [(240, 0)], "{spec}");
    }
}

/// Whatever the clocks do: no slot fires twice or more than a minute late; and as long as the clock on the wall is not
/// set back, every slot has either fired or is counted as missed.
#[test]
fn every_slot_fires_once_or_is_counted_as_missed() {
    let specs = [
        "*/10 * * * * *",
        "0 * * * * *",
        "TZ=America/New_York 0 */20 1,2,3 * * *",
        "TZ=America/New_York 0 15,45 * ? * MON-FRI",
        "TZ=America/New_York 7 30 2 * * *",
        "@every 7s",
        "@every 45m",
    ];
    let (mut all_fired, mut all_missed) = (0, 0);
    for seed in 1..100_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        for spec in specs {
            let schedule = Schedule::parse(spec).unwrap();
            // March and November 2027 are near.
            let (mut nanos, mut set) = (0, 57 * 86_400 * (below(2) as i64));
            let begun = at(nanos, set);
            let mut timers = Timers::new(begun, 0, Keep::DEFAULT);
            let (key, _) = add(&mut timers, spec, begun);
            let sets_back = below(3) == 0;
            let mut fired: Vec<(i64, i64)> = Vec::new();
            let mut was_set_back = false;
            for _ in 0..below(60) {
                nanos += match below(6) {
                    0 => below(1_000_000_000),
                    1 | 2 => below(20) * 1_000_000_000,
                    3 => below(130) * 1_000_000_000,
                    4 => below(7200) * 1_000_000_000 + below(1_000_000_000),
                    _ => below(4 * 86_400) * 1_000_000_000,
                };
                match below(8) {
                    0 => set += below(200) as i64,
                    1 => set += below(40_000) as i64,
                    2 if sets_back => {
                        set -= below(5000) as i64;
                        was_set_back = true;
                    }
                    _ => {}
                }
                let now = at(nanos, set);
                for slot in look(&mut timers, now) {
                    let slot_at = Timestamp::from_nanos((slot.0 + START) * 1_000_000_000 + slot.1);
                    assert!(
                        slot_at <= now.wall && now.wall.since(slot_at) <= LATE,
                        "{seed} {spec}: {slot:?}"
                    );
                    if schedule.interval().is_none() {
                        assert!(!fired.contains(&slot), "{seed} {spec}: {slot:?} twice");
                    }
                    fired.push(slot);
                }
                let tally = timers.get(key).unwrap().ledger.tally();
                let come = match schedule.interval() {
                    Some(interval) => nanos / u64::try_from(interval.as_nanos()).unwrap(),
                    None => schedule.count(begun.wall.to_chrono(), now.wall.to_chrono()),
                };
                if !was_set_back || schedule.interval().is_some() {
                    let told = fired.len() as u64 + tally.missed;
                    assert_eq!(told, come, "{seed} {spec} at {nanos} {set}");
                }
            }
            all_fired += fired.len();
            all_missed += timers.get(key).unwrap().ledger.tally().missed;
        }
    }
    assert!(all_fired > 1000 && all_missed > 1000, "{all_fired} {all_missed}");
}

fn add_delay(timers: &mut Timers, delay: Duration, now: Reading) -> ScheduleKey {
    fn never() -> crate::job::body::Erased {
        unreachable!("nothing is executed here")
    }
    let schedule = Resolved {
        timing: Timing::Delay(delay),
        template: Template::Make(never),
        identity: Identity::default(),
        options: SlotOptions::default(),
    };
    timers.add(job(), schedule, true, now).unwrap().key
}

/// One look, with one fate for all that has come.
fn look_as(timers: &mut Timers, now: Reading, fate: SlotFate) -> usize {
    let mut come = Come::default();
    timers.take_due(now, &mut come);
    let count = come.firings.drain(..).count();
    timers.tally(now, &mut come, &mut vec![fate; count]);
    timers.plan(now, Cause::Stalled, |_| false, &mut come);
    assert!(come.firings.is_empty());
    count
}

/// ```text
/// 0        10                        25       35
/// |─ delay ─| r · · awaited · · · ended ─ delay ─| r
/// ```
#[test]
fn a_fixed_delay_waits_for_the_end_of_its_run() {
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    let key = add_delay(&mut timers, Duration::from_secs(10), reading(0));
    assert_eq!(look_as(&mut timers, reading(9), SlotFate::Ran), 0);
    assert_eq!(look_as(&mut timers, reading(10), SlotFate::Ran), 1);
    assert_eq!(timers.get(key).unwrap().next_slot(reading(10)), None);
    assert_eq!(look_as(&mut timers, reading(24), SlotFate::Ran), 0);
    timers.sleep_until(reading(1000).elapsed);
    assert!(timers.run_ended(key, reading(25)), "the task has to be woken");
    assert_eq!(timers.get(key).unwrap().next_slot(reading(25)), Some(reading(35).wall));
    assert_eq!(look_as(&mut timers, reading(34), SlotFate::Ran), 0);
    // However late: it has one slot at a time.
    assert_eq!(look_as(&mut timers, reading(500), SlotFate::Paused), 1);
    assert_eq!(
        timers.get(key).unwrap().next_slot(reading(500)),
        Some(reading(510).wall),
        "nothing is awaited"
    );
    let tally = timers.get(key).unwrap().ledger.tally();
    assert_eq!((tally.ran, tally.paused, tally.total()), (1, 1, 2));
    timers.remove(key);
    assert!(!timers.run_ended(key, reading(600)));
}

/// The worker is faster than the task of the scheduler.
#[test]
fn a_run_of_a_fixed_delay_may_end_before_it_is_entered() {
    let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
    let key = add_delay(&mut timers, Duration::from_secs(10), reading(0));
    let mut come = Come::default();
    timers.take_due(reading(10), &mut come);
    assert_eq!(come.firings.len(), 1);
    timers.run_ended(key, reading(11));
    timers.tally(reading(11), &mut come, &mut vec![SlotFate::Ran]);
    timers.plan(reading(11), Cause::Stalled, |_| false, &mut come);
    assert_eq!(timers.get(key).unwrap().next_slot(reading(11)), Some(reading(21).wall));
    assert_eq!(timers.elapsed.len(), 1, "it is armed once");
    assert_eq!(look_as(&mut timers, reading(21), SlotFate::Ran), 1);
    // And before the task has died and was started again.
    timers.run_ended(key, reading(21));
    timers.take_due(reading(31), &mut Come::default());
    timers.run_ended(key, reading(31));
    timers.rearm(reading(32));
    let planned = timers.get(key).unwrap();
    assert_eq!((planned.ledger.tally().ran, planned.next_slot(reading(32))), (3, Some(reading(41).wall)));
}

#[test]
fn what_a_task_that_died_had_in_its_hands_is_entered_once() {
    for dies_before_the_tally in [true, false] {
        let mut timers = Timers::new(reading(0), 0, Keep::DEFAULT);
        let (cron, _) = add(&mut timers, "0 * * * * *", reading(0));
        let delay = add_delay(&mut timers, Duration::from_secs(60), reading(0));
        let mut come = Come::default();
        timers.take_due(reading(60), &mut come);
        assert_eq!(come.firings.len(), 2);
        if !dies_before_the_tally {
            timers.tally(reading(60), &mut come, &mut vec![SlotFate::Ran; 2]);
        }
        drop(come);
        timers.rearm(reading(61));
        let total = |timers: &Timers, key| timers.get(key).unwrap().ledger.tally().total();
        assert_eq!((total(&timers, cron), total(&timers, delay)), (1, 1));
        if !dies_before_the_tally {
            timers.run_ended(delay, reading(61));
        }
        // Both go on, each from where it was.
        assert_eq!(look_as(&mut timers, reading(62), SlotFate::Ran), 0);
        assert_eq!(look_as(&mut timers, reading(121), SlotFate::Ran), 2, "{dies_before_the_tally}");
        assert_eq!((total(&timers, cron), total(&timers, delay)), (2, 2));
    }
}
