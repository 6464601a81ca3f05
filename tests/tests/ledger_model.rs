//! The ledger against a model that knows nothing of how it is kept: whatever happens to the clock, the job and its runs,
//! every slot is in the ledger once, with the fate that the rules give it.

mod support;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::testing::TestClock;
use jobs::{Fate, Job, JobContext, JobResult, Jobs, Schedule, Tally};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde::{Deserialize, Serialize};
use support::{SECOND, clock, config};

type Instant = DateTime<Utc>;

const LATE: TimeDelta = TimeDelta::seconds(60);
const MOST: usize = 1000;

/// Takes as long as it says, by tokio's clock, which stands still while the machine is suspended.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Takes(Duration);

impl Job for Takes {
    const NAME: &'static str = "takes";

    async fn run(self, _: JobContext) -> JobResult {
        tokio::time::sleep(self.0).await;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Advance(u32),
    Step(i64),
    Suspend(u32),
    Pause,
    Resume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missed {
    Skip,
    Once,
    All,
    Within(i64),
}

impl Missed {
    fn text(self) -> String {
        match self {
            Self::Skip => "skip".into(),
            Self::Once => "once".into(),
            Self::All => "all".into(),
            Self::Within(seconds) => format!("all within {seconds}s"),
        }
    }

    /// Those of the slots, all of them late, that are made up for when the last is `last`.
    fn made_up(self, slots: &[Instant], now: Instant, last_fires: bool) -> usize {
        let young =
            |window: i64| slots.iter().filter(|slot| now - **slot <= TimeDelta::seconds(window)).count();
        match self {
            Self::Skip => 0,
            Self::Once => usize::from(!last_fires && !slots.is_empty()),
            Self::All => slots.len().min(MOST),
            Self::Within(window) => young(window).min(MOST),
        }
    }
}

/// The rules, and nothing else: which slots have come, and what became of each.
struct Model {
    schedule: Schedule,
    overlap: &'static str,
    missed: Missed,
    takes: Duration,
    wall: Instant,
    /// What tokio's clock shows.
    mono: Duration,
    paused: bool,
    fates: BTreeMap<Instant, Fate>,
    /// When the runs that execute will end.
    running: Vec<Duration>,
    waiting: usize,
}

impl Model {
    /// Time passes, and nothing is jumped over.
    fn pass(&mut self, by: TimeDelta) {
        let end = self.wall + by;
        let slots: Vec<_> = self.schedule.upcoming(self.wall).take_while(|slot| *slot <= end).collect();
        for slot in slots {
            if !self.has_come(slot) {
                self.go_to(slot);
                self.fire(slot, false);
            }
        }
        self.go_to(end);
    }

    fn has_come(&self, slot: Instant) -> bool {
        self.fates.get(&slot).is_some_and(|fate| *fate != Fate::Missed)
    }

    fn go_to(&mut self, wall: Instant) {
        self.mono += (wall - self.wall).to_std().unwrap();
        self.wall = wall;
        self.end_runs();
    }

    fn end_runs(&mut self) {
        while let Some(at) = self.running.iter().position(|end| *end <= self.mono) {
            let end = self.running.swap_remove(at);
            // The last that runs is followed by the first that waits.
            if self.running.is_empty() && self.waiting > 0 {
                self.waiting -= 1;
                self.running.push(end + self.takes);
            }
        }
    }

    /// The clock is at another time at once.
    fn jump(&mut self, to: Instant) {
        if to > self.wall {
            let slots = self.schedule.upcoming(self.wall).take_while(|slot| *slot <= to);
            let new: Vec<_> = slots.filter(|slot| !self.has_come(*slot)).collect();
            let is_late = |slot: &Instant| to - *slot > LATE;
            // What passes unseen while the job is paused is paused, and not missed.
            let some_missed = !self.paused && new.first().is_some_and(is_late);
            self.wall = to;
            if some_missed {
                let last_fires = new.last().is_some_and(|last| !is_late(last));
                let (passed, last) = new.split_at(new.len() - usize::from(last_fires));
                let made_up = self.missed.made_up(passed, to, last_fires);
                let (missed, made_up) = passed.split_at(passed.len() - made_up);
                for slot in missed {
                    self.fates.insert(*slot, Fate::Missed);
                }
                for slot in made_up {
                    self.fire(*slot, is_late(slot));
                }
                last.iter().for_each(|slot| self.fire(*slot, false));
            } else {
                new.iter().for_each(|slot| self.fire(*slot, false));
            }
        }
        // Behind it, what was missed is still to come.
        self.fates.retain(|slot, fate| *fate != Fate::Missed || *slot <= to);
        self.wall = to;
    }

    fn fire(&mut self, slot: Instant, caught_up: bool) {
        let ran = if caught_up { Fate::CaughtUp } else { self.ran(slot) };
        let live = self.running.len() + self.waiting;
        let fate = match self.overlap {
            _ if self.paused => Fate::Paused,
            "skip" if live > 0 => Fate::Skipped,
            "buffer_one" if self.waiting > 0 => Fate::Skipped,
            "cancel_other" => {
                self.running.clear();
                self.waiting = 0;
                self.running.push(self.mono + self.takes);
                ran
            }
            "buffer_one" | "buffer_all" if live > 0 => {
                self.waiting += 1;
                ran
            }
            _ => {
                self.running.push(self.mono + self.takes);
                ran
            }
        };
        self.fates.insert(slot, fate);
    }

    /// A slot at the end of the only gap of the zone, whose time it was not.
    fn ran(&self, slot: Instant) -> Fate {
        let gap_ends = support::utc("2026-03-08 07:00:00");
        let is_fixed = self.schedule.to_string().starts_with("TZ=America/New_York 0 30 1,2 ");
        if is_fixed && slot == gap_ends { Fate::Shifted } else { Fate::Ran }
    }

    fn tally(&self) -> [u64; 5] {
        let count = |is: &[Fate]| self.fates.values().filter(|fate| is.contains(fate)).count() as u64;
        [
            &[Fate::Ran, Fate::Shifted][..],
            &[Fate::CaughtUp],
            &[Fate::Skipped],
            &[Fate::Missed],
            &[Fate::Paused],
        ]
        .map(count)
    }
}

fn counts(tally: &Tally) -> [u64; 5] {
    [tally.ran, tally.caught_up, tally.skipped, tally.missed, tally.paused]
}

/// Every slot of the model is in one entry, with its fate, and the entries hold no other. Answers whether all entries that there
/// were are kept: a clock that is set back takes nothing back of one that is gone.
fn check(jobs: &Jobs, model: &Model, after: &str) -> bool {
    let query = jobs.ledger("takes").unwrap();
    assert_eq!(counts(&query.tally()), model.tally(), "the tally {after}");
    let entries = query.entries();
    if entries.len() >= 256 {
        // The oldest are gone.
        return false;
    }
    let mut told = BTreeMap::new();
    for entry in &entries {
        let slots: Vec<_> = model.fates.range(entry.from..=entry.to).collect();
        assert_eq!(slots.len() as u64, entry.count, "{entry} {after}: {slots:?}");
        for (slot, fate) in slots {
            assert_eq!(*fate, entry.fate, "{slot} in {entry} {after}");
            assert!(
                told.insert(*slot, entry.fate).is_none(),
                "{slot} is in two entries {after}: {entries:?}"
            );
        }
    }
    assert_eq!(told.len(), model.fates.len(), "slots that are in no entry {after}");
    true
}

#[derive(Debug, Clone)]
struct Case {
    spec: usize,
    start: usize,
    overlap: usize,
    missed: Missed,
    /// Half a second more, so that few runs end when a slot comes.
    takes: u64,
    events: Vec<Event>,
}

const SPECS: [&str; 5] = [
    "*/20 * * * * *",
    "0 */5 * * * *",
    "30 10,40 2,3,12 * * *",
    "TZ=America/New_York 0 30 1,2 * * *",
    "TZ=America/New_York 0 */20 * * * *",
];

const STARTS: [&str; 4] =
    ["2026-03-02 11:59:30.5", "2026-03-07 23:00:10.5", "2026-11-01 03:10:20.5", "2026-12-31 23:59:58.5"];

const OVERLAPS: [&str; 5] = ["buffer_one", "buffer_all", "skip", "allow", "cancel_other"];

fn cases() -> impl Strategy<Value = Case> {
    let event = prop_oneof![
        6 => (0..900_u32).prop_map(Event::Advance),
        2 => (0..9_000_u32).prop_map(Event::Advance),
        3 => (-100..100_i64).prop_map(Event::Step),
        3 => (-20_000..20_000_i64).prop_map(Event::Step),
        2 => (1..200_u32).prop_map(Event::Suspend),
        2 => (1..50_000_u32).prop_map(Event::Suspend),
        1 => Just(Event::Pause),
        2 => Just(Event::Resume),
    ];
    let missed = prop_oneof![
        Just(Missed::Skip),
        Just(Missed::Once),
        Just(Missed::All),
        (1..30_000_i64).prop_map(Missed::Within),
    ];
    let takes = prop_oneof![0..3_u64, 5..100_u64, 300..4_000_u64];
    let events = prop::collection::vec(event, 1..14);
    (0..SPECS.len(), 0..STARTS.len(), 0..OVERLAPS.len(), missed, takes, events).prop_map(
        |(spec, start, overlap, missed, takes, events)| Case { spec, start, overlap, missed, takes, events },
    )
}

/// How many slots there were of each fate.
async fn against_the_model(case: &Case) -> [u64; 5] {
    let (spec, overlap) = (SPECS[case.spec], OVERLAPS[case.overlap]);
    let start = STARTS[case.start];
    let takes = SECOND * u32::try_from(case.takes).unwrap() + SECOND / 2;
    let clock: TestClock = clock(start);
    let own = config(&clock).pool(0).register::<Takes>().job("takes", |job| job.overlap(overlap));
    let jobs = jobs::start(own).await.unwrap();
    jobs.schedule(spec, Takes(takes)).missed(case.missed.text()).await.unwrap();
    let mut model = Model {
        schedule: Schedule::parse(spec).unwrap(),
        overlap,
        missed: case.missed,
        takes,
        wall: support::utc(start),
        mono: Duration::ZERO,
        paused: false,
        fates: BTreeMap::new(),
        running: Vec::new(),
        waiting: 0,
    };
    let settle = TimeDelta::milliseconds(1);
    let mut done = VecDeque::new();
    for event in &case.events {
        match *event {
            Event::Advance(seconds) => {
                model.pass(TimeDelta::seconds(seconds.into()) + settle);
                clock.advance(SECOND * seconds).await;
            }
            Event::Step(seconds) => {
                model.jump(model.wall + TimeDelta::seconds(seconds));
                model.pass(settle);
                clock.step(TimeDelta::seconds(seconds)).await;
            }
            Event::Suspend(seconds) => {
                model.jump(model.wall + TimeDelta::seconds(seconds.into()));
                model.pass(settle);
                clock.suspend(SECOND * seconds).await;
            }
            Event::Pause => {
                model.paused = true;
                jobs.pause("takes").await.unwrap();
            }
            Event::Resume => {
                model.paused = false;
                jobs.resume("takes").await.unwrap();
            }
        }
        done.push_back(*event);
        assert_eq!(clock.now(), model.wall, "the model's clock");
        if !check(&jobs, &model, &format!("after {done:?}")) {
            break;
        }
    }
    jobs.shutdown().await;
    model.tally()
}

/// Proptest prints the smallest case that fails; a seed in `PROPTEST_RNG_SEED` repeats a whole run.
#[test]
fn every_slot_is_in_the_ledger_once_with_the_fate_that_the_rules_give_it() {
    let mut runner = TestRunner::new(Cases { cases: 96, failure_persistence: None, ..Cases::default() });
    let seen = std::cell::Cell::new([0_u64; 5]);
    let outcome = runner.run(&cases(), |case| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let tally = runtime.block_on(against_the_model(&case));
        let before = seen.get();
        seen.set(std::array::from_fn(|i| before[i] + tally[i]));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}\n{runner}");
    }
    let seen = seen.get();
    assert!(seen.iter().all(|slots| *slots > 50), "of some fate there was hardly any: {seen:?}");
}

/// A run that ends when a slot comes has ended before it, wherever in tokio's wheel of timers the two meet.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_comes_before_a_slot_at_the_same_time() {
    // Ends at every multiple of 22.5 s and slots at those of 20 s meet each 180 s.
    for overlap in 0..2 {
        let events = vec![Event::Advance(60); 300];
        let case = Case { spec: 0, start: 0, overlap, missed: Missed::Skip, takes: 22, events };
        against_the_model(&case).await;
    }
}
