//! What becomes of every slot, as DESIGN.md says it: a second scheduler, as plain as possible.
//!
//! Times are milliseconds: `wall` since 1970, `mono` since the start by the clock that nobody sets, which stands still
//! while the machine sleeps, and `elapsed`, which does not.

use std::collections::{HashMap, HashSet};

use crate::world::{Job, MINUTE, Missed, Overlap, Policy, Schedule, When};

/// What becomes of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Ran,
    Shifted,
    CaughtUp,
    Skipped,
    /// Missed, since the machine slept.
    Slept,
    /// Missed, since the clock was set forward.
    SetForward,
    Paused,
    /// The jitter, which the model does not know, decides.
    Unknown,
}

impl Fate {
    pub(crate) fn is_missed(self) -> bool {
        matches!(self, Self::Slept | Self::SetForward)
    }
}

/// How late a slot may be noticed and still fire.
const LATE: i64 = MINUTE;
/// How many runs are made up at once.
const MOST: usize = 1000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) wall: i64,
    pub(crate) mono: i64,
    pub(crate) elapsed: i64,
}

/// What a model remembers of a schedule.
#[derive(Debug)]
pub(crate) struct Of {
    pub(crate) schedule: Schedule,
    /// The slots and what became of them, in the order in which they were noticed.
    pub(crate) fates: Vec<(i64, Fate)>,
    /// For each of them, where the slots of one fate begin that it is one of.
    pub(crate) begins: Vec<usize>,
    /// How many there are of each fate.
    pub(crate) counts: HashMap<Fate, u64>,
    /// How many of them were found in the ledger.
    pub(crate) checked: usize,
    /// Where a slot stands among them.
    pub(crate) places: HashMap<i64, Vec<usize>>,
    /// Cron slots that have come.
    come: HashSet<i64>,
    /// Of an interval or a fixed delay: when the next slot is due, elapsed.
    due: i64,
    /// Of a fixed delay: when the run ends that is under way, by the monotonic clock.
    runs_until: Option<i64>,
}

/// The model of a job.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) job: Job,
    pub(crate) of: Vec<Of>,
    paused: bool,
    /// When the run ends that is under way, where the policy asks.
    live_until: Option<i64>,
    /// How long the run takes that waits.
    waits: Option<i64>,
    /// The schedule that fired last, and when.
    last: Option<(usize, i64)>,
    /// Two things happened at once, and their order is nobody's promise.
    pub(crate) ambiguous: bool,
}

impl Of {
    fn new(schedule: &Schedule, clock: Clock) -> Self {
        let due = match schedule.when {
            When::Interval(by) | When::FixedDelay(by) => clock.elapsed + by,
            When::Cron { .. } => 0,
        };
        Self {
            schedule: schedule.clone(),
            fates: Vec::new(),
            begins: Vec::new(),
            counts: HashMap::new(),
            checked: 0,
            places: HashMap::new(),
            come: HashSet::new(),
            due,
            runs_until: None,
        }
    }

    fn enter(&mut self, slot: i64, fate: Fate) {
        let place = self.fates.len();
        let begin = match self.fates.last() {
            Some((_, last)) if *last == fate => self.begins[place - 1],
            _ => place,
        };
        self.fates.push((slot, fate));
        *self.counts.entry(fate).or_default() += 1;
        self.begins.push(begin);
        self.places.entry(slot).or_default().push(place);
    }

    /// Those that were missed after `wall` come again.
    fn withdraw(&mut self, wall: i64) {
        let comes_again = |(slot, fate): &(i64, Fate)| fate.is_missed() && *slot > wall;
        let Some(first) = self.fates.iter().position(comes_again) else { return };
        self.checked = self.checked.min(first);
        let fates = std::mem::take(&mut self.fates);
        self.begins.clear();
        self.counts.clear();
        self.places.clear();
        for (slot, fate) in fates.into_iter().filter(|entry| !comes_again(entry)) {
            self.enter(slot, fate);
        }
    }

    /// The cron slots after the one time and not after the other that have not come.
    fn new_slots(&self, after: i64, through: i64) -> Vec<i64> {
        let When::Cron { slots, .. } = &self.schedule.when else { return Vec::new() };
        if after >= through {
            return Vec::new();
        }
        slots
            .range(after + 1..=through)
            .map(|(slot, _)| *slot)
            .filter(|slot| !self.come.contains(slot))
            .collect()
    }

    fn on_time(&self, slot: i64) -> Fate {
        match &self.schedule.when {
            When::Cron { slots, .. } if slots.get(&slot) == Some(&true) => Fate::Shifted,
            _ => Fate::Ran,
        }
    }
}

impl Model {
    pub(crate) fn new(job: &Job, clock: Clock) -> Self {
        let of = job.schedules.iter().map(|schedule| Of::new(schedule, clock)).collect();
        Self {
            job: job.clone(),
            of,
            paused: false,
            live_until: None,
            waits: None,
            last: None,
            ambiguous: false,
        }
    }

    pub(crate) fn pause(&mut self, paused: bool, clock: Clock) {
        self.doubt_pending(clock);
        self.paused = paused;
    }

    /// Time passes.
    pub(crate) fn advance(&mut self, clock: Clock, by: i64) {
        let mut due = Vec::new();
        for (index, of) in self.of.iter_mut().enumerate() {
            let new = of.new_slots(clock.wall, clock.wall + by);
            due.extend(new.into_iter().map(|slot| (clock.mono + slot - clock.wall, index, slot)));
            if let When::Interval(every) = of.schedule.when {
                while of.due <= clock.elapsed + by {
                    let after = of.due - clock.elapsed;
                    due.push((clock.mono + after, index, clock.wall + after));
                    of.due += every;
                }
            }
        }
        due.sort_unstable();
        for (mono, index, slot) in due {
            let fate = self.of[index].on_time(slot);
            self.notice(index, slot, fate, mono);
        }
        self.advance_fixed_delay(clock, by);
    }

    fn advance_fixed_delay(&mut self, clock: Clock, by: i64) {
        for index in 0..self.of.len() {
            let When::FixedDelay(delay) = self.of[index].schedule.when else { continue };
            loop {
                if let Some(end) = self.of[index].runs_until {
                    if end > clock.mono + by {
                        break;
                    }
                    self.of[index].runs_until = None;
                    self.of[index].due = clock.elapsed + end - clock.mono + delay;
                }
                let due = self.of[index].due;
                if due > clock.elapsed + by {
                    break;
                }
                // Where it has passed while the machine slept, it is noticed now, by the name that it has.
                let noticed = (due - clock.elapsed).max(0);
                self.fire_fixed_delay(
                    index,
                    clock.wall + due - clock.elapsed,
                    clock.mono + noticed,
                    clock.elapsed + noticed,
                );
            }
        }
    }

    fn fire_fixed_delay(&mut self, index: usize, slot: i64, mono: i64, elapsed: i64) {
        let takes = self.job.takes(slot);
        let of = &mut self.of[index];
        if self.paused {
            let When::FixedDelay(delay) = of.schedule.when else { return };
            of.enter(slot, Fate::Paused);
            of.due = elapsed + delay;
        } else {
            of.enter(slot, Fate::Ran);
            of.runs_until = Some(mono + takes);
        }
    }

    /// The clock on the wall goes forward at once, where the machine `slept` elapsed time with it. `clock` is what it showed
    /// before.
    pub(crate) fn jump(&mut self, clock: Clock, by: i64, slept: bool) {
        self.doubt_pending(clock);
        let wall = clock.wall + by;
        for index in 0..self.of.len() {
            let of = &mut self.of[index];
            let slots = match of.schedule.when {
                When::Cron { .. } => of.new_slots(clock.wall, wall),
                When::Interval(every) if slept => {
                    let mut slots = Vec::new();
                    while of.due <= clock.elapsed + by {
                        slots.push(clock.wall + of.due - clock.elapsed);
                        of.due += every;
                    }
                    slots
                }
                // A fixed delay is noticed when time goes on.
                _ => Vec::new(),
            };
            let missed = if slept { Fate::Slept } else { Fate::SetForward };
            self.notice_all(index, &slots, wall, clock.mono, missed);
        }
    }

    /// The clock on the wall goes back.
    pub(crate) fn set_back(&mut self, clock: Clock, by: i64) {
        self.doubt_pending(clock);
        for of in &mut self.of {
            if matches!(of.schedule.when, When::Cron { .. }) {
                of.withdraw(clock.wall - by);
            }
        }
    }

    /// Something happens now that a slot, whose time has come and which its jitter may still hold back, may see or not.
    fn doubt_pending(&mut self, clock: Clock) {
        for of in &mut self.of {
            let Some(jitter) = of.schedule.jitter else { continue };
            let mut place = of.fates.len();
            while place > 0 && of.fates[place - 1].0 + jitter + MINUTE >= clock.wall {
                place -= 1;
                of.fates[place].1 = Fate::Unknown;
            }
        }
    }

    /// Slots of a schedule that have come at once.
    fn notice_all(&mut self, index: usize, slots: &[i64], wall: i64, mono: i64, if_missed: Fate) {
        let (Some(first), Some(newest)) = (slots.first(), slots.last()) else { return };
        if self.paused && self.of[index].schedule.jitter.is_none() {
            // None of them would have made a run, seen or not.
            slots.iter().for_each(|&slot| self.notice(index, slot, Fate::Paused, mono));
            return;
        }
        if self.of[index].schedule.jitter.is_some() {
            // How late each of them is, its jitter says.
            for &slot in slots {
                self.of[index].come.insert(slot);
                self.of[index].enter(slot, Fate::Unknown);
            }
            return;
        }
        let late = |slot: i64| wall - slot > LATE;
        if !late(*first) {
            for &slot in slots {
                let fate = self.of[index].on_time(slot);
                self.notice(index, slot, fate, mono);
            }
            return;
        }
        let fires = (!late(*newest)).then_some(*newest);
        let missed = if fires.is_some() { &slots[..slots.len() - 1] } else { slots };
        let Missed { policy, within } = self.of[index].schedule.missed;
        let recent = missed.partition_point(|slot| within.is_some_and(|within| wall - slot > within));
        let made_up = match policy {
            Policy::Skip => missed.len(),
            Policy::Once if fires.is_some() || recent == missed.len() => missed.len(),
            Policy::Once => missed.len() - 1,
            Policy::All => recent.max(missed.len().saturating_sub(MOST)),
        };
        for &slot in &missed[..made_up] {
            self.of[index].enter(slot, if_missed);
        }
        for &slot in &missed[made_up..] {
            let fate = if late(slot) { Fate::CaughtUp } else { self.of[index].on_time(slot) };
            self.notice(index, slot, fate, mono);
        }
        if let Some(slot) = fires {
            let fate = self.of[index].on_time(slot);
            self.notice(index, slot, fate, mono);
        }
    }

    /// A slot is to fire: the pause and the overlap policy say whether it does.
    fn notice(&mut self, index: usize, slot: i64, fate: Fate, mono: i64) {
        let takes = self.job.takes(slot);
        self.of[index].come.insert(slot);
        let fate = if self.paused { Fate::Paused } else { self.overlap(index, takes, fate, mono) };
        self.of[index].enter(slot, fate);
    }

    fn overlap(&mut self, index: usize, takes: i64, fate: Fate, mono: i64) -> Fate {
        let one_waits = match self.job.overlap {
            Overlap::Allow | Overlap::BufferAll | Overlap::CancelOther => return fate,
            Overlap::BufferOne => true,
            Overlap::Skip => false,
        };
        // Of two schedules, whose slots come at once.
        let at_once = self.last.is_some_and(|(other, last)| last == mono && other != index);
        self.ambiguous |= at_once;
        self.last = Some((index, mono));
        while let Some(end) = self.live_until.filter(|end| *end <= mono) {
            self.ambiguous |= end == mono;
            self.live_until = self.waits.take().map(|takes| end + takes);
        }
        if self.live_until.is_none() {
            self.live_until = Some(mono + takes);
        } else if one_waits && self.waits.is_none() {
            self.waits = Some(takes);
        } else {
            return Fate::Skipped;
        }
        fate
    }
}
