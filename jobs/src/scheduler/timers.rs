//! The plan: every schedule with its next slot, and every delayed run.
//!
//! Two wheels, because two times are counted. Cron schedules and runs for an instant stand in the *wall* wheel, which
//! follows the clock on the wall wherever it is set; intervals and delays stand in the *elapsed* wheel, which no
//! setting of the clock concerns.
//!
//! **A slot is never fired twice, and never early.** The next slot is computed from the nominal time of the last, not
//! from the time at which it was fired. When the clock is set back, a schedule goes on at once, and passes over the
//! slots that it has been through ([`history`](super::history)). Slots that were only missed come again.
//!
//! **Late or missed.** A slot that is noticed up to [`LATE`](crate::job::slot::LATE) after its time is late and fires
//! all the same: a short stall loses nothing. One that is noticed later was missed: the machine slept or the clock was set
//! forward. Then, of all slots of the schedule that have come, the last fires if it is only late, and the others are
//! missed, however late they are: a schedule of seconds must not fire sixty times at once when a laptop is opened. Which of
//! them are made up for is the policy of the schedule ([`missed`](super::missed)), and what became of each stands in its
//! [`ledger`](super::ledger). Those of a job that is paused were not missed: they would have made no run, and are paused.
//!
//! ```text
//!                 LATE                                   LATE
//!            ├───────────┤ now                      ├───────────┤ now
//! ───────────┼──┬──┬──┬──┼─────          ──┬──┬──┬──┼──┬──┬──┬──┼─────
//!               f  f  f                    m  m  m     m  m  f           f fires, m is missed
//! ```
//!
//! **A fixed delay** has one slot at a time. When that is given out there is no next, until the pool says that the run has
//! ended; a slot that makes no run is followed by the next one delay later.
//!
//! ```text
//!      take_due                       the run has ended
//! due ──────────▶ given out ─ ran ──▶ awaited ──▶ due, a delay from then
//!                      └─ skipped, paused ──────▶ due, a delay from now
//! ```
//!
//! One look at the plan passes over any number of missed slots without visiting them: they are counted by arithmetic.

#[cfg(feature = "postgres")]
pub(super) mod shared;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::time::Duration;

use super::jitter;
use super::ledger::{Cause, Entry, Fate, Keep};
use super::marks::Marks;
use super::planned::{Due, Planned, ScheduleKey};
use super::ticks::{elapsed_of, elapsed_tick, elapsed_tick_now, wall_of, wall_tick, wall_tick_now};
use super::wheel::{Timer, Wheel};
use crate::clock::{Elapsed, Reading, Timestamp};
use crate::job::body::Body;
use crate::job::slot::Slot;
use crate::pool::{Firing, SlotFate};
use crate::registry::{Identity, Resolved, Timing};
use crate::store::memory::{JobIx, Occasion, RunKey};
use crate::store::slab::Slab;

/// What one look at the plan found missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MissedCount {
    pub(crate) schedules: usize,
    /// Those that are not made up for.
    pub(crate) slots: u64,
    pub(crate) made_up: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Schedule(ScheduleKey),
    Run(RunKey),
}

/// When a delayed run is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delay {
    /// At an instant of the wall clock, wherever it is set.
    At(Timestamp),
    /// When this much time has passed.
    For(Duration),
}

/// What has come since the plan was last looked at.
#[derive(Default)]
pub(crate) struct Come {
    pub(crate) firings: VecDeque<Firing>,
    /// The schedule and the slot of each firing, in the same order.
    given: Vec<(ScheduleKey, Slot)>,
    pub(crate) releases: Vec<RunKey>,
    /// Every schedule whose timer has come, to be armed for its next slot.
    planned: Vec<ScheduleKey>,
    due: Vec<Timer<Token>>,
    /// Whether anybody listens to what becomes of slots.
    pub(crate) heard: bool,
    /// What was entered into the ledgers meanwhile, if so.
    pub(crate) told: Vec<(JobIx, String, Entry)>,
}

impl Come {
    /// Everything is armed anew: what was in hands to be armed is not to be armed twice.
    pub(super) fn start_over(&mut self) {
        self.planned.clear();
        self.due.clear();
    }

    pub(super) fn tell(&mut self, planned: &Planned, entry: Entry) {
        if self.heard {
            self.told.push((planned.job, planned.identity.key(&planned.timing), entry));
        }
    }

    fn give(&mut self, key: ScheduleKey, planned: &Planned, slot: Slot) {
        // What follows the run of a fixed delay is counted from its end.
        let is_awaited = planned.timing.delay().is_some();
        let body = Body::Template(planned.template.clone());
        self.firings.push_back(Firing {
            job: planned.job,
            occasion: Occasion { slot, schedule: Some(key), is_awaited },
            body,
        });
        self.given.push((key, slot));
    }
}

pub(crate) struct Timers {
    wall: Wheel<Token>,
    elapsed: Wheel<Token>,
    schedules: Slab<Planned>,
    /// The keys of jobs that are in use, by the hash of both.
    repeats: HashMap<u64, Repeats>,
    hasher: RandomState,
    /// Until when the scheduler's task sleeps; what is armed for later need not wake it.
    sleeps_until: Option<Elapsed>,
    /// That task has slots in its hands.
    in_hands: bool,
    /// When that task has to have looked at the plan again.
    wanted_at: Elapsed,
    keep: Keep,
    /// Makes the jitter of every schedule its own.
    seed: u64,
    /// When so many timers are armed, those that no longer count are swept out.
    sweep_at: usize,
    closed: bool,
    /// What outlives the process is marked here.
    pub(super) marks: Option<Marks>,
    /// Which slot is next is for a row to say that other processes share.
    pub(super) is_shared: bool,
}

/// A schedule that was added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Added {
    pub(crate) key: ScheduleKey,
    /// The scheduler's task has to be woken for it.
    pub(crate) wake: bool,
    /// The run of another process whose end it waits for.
    pub(crate) awaits: Option<RunKey>,
}

/// The schedules of a job with one key.
#[derive(Debug, Clone, Copy, Default)]
struct Repeats {
    /// The highest number in use, or one that was.
    highest: u32,
    used: u32,
}

/// Fewer timers than this are not worth a sweep.
const FIRST_SWEEP: usize = 1024;

impl Timers {
    /// An empty plan, whose jitter `entropy` tells from that of others and whose ledgers `keep` so much.
    pub(crate) fn new(now: Reading, entropy: u64, keep: Keep) -> Self {
        Self {
            wall: Wheel::new(wall_tick_now(now.wall)),
            elapsed: Wheel::new(elapsed_tick_now(now.elapsed)),
            schedules: Slab::new(),
            repeats: HashMap::new(),
            hasher: RandomState::new(),
            sleeps_until: Some(Elapsed::ZERO),
            in_hands: false,
            wanted_at: now.elapsed,
            keep,
            seed: entropy,
            sweep_at: FIRST_SWEEP,
            closed: false,
            marks: None,
            is_shared: false,
        }
    }

    // Arming. Each answers whether the scheduler's task has to be woken for it.

    /// Arms a schedule: its first slot is the first after now, of an interval one full interval from now, of a fixed delay
    /// one delay. One
    /// whose key its job has already gets the next number. One that is off, or whose job is not
    /// enabled, is kept and never armed. None when the plan is closed.
    pub(crate) fn add(
        &mut self,
        job: JobIx,
        mut schedule: Resolved,
        enabled: bool,
        now: Reading,
    ) -> Option<Added> {
        if self.closed {
            return None;
        }
        let hash = self.hash_of(job, &schedule.identity, &schedule.timing);
        let repeats = self.repeats.entry(hash).or_default();
        repeats.highest += 1;
        repeats.used += 1;
        schedule.identity.repeat = repeats.highest;
        self.seed = jitter::mix(self.seed);
        let seed = if self.is_shared {
            jitter::seed_of(&schedule.identity.key(&schedule.timing))
        } else {
            self.seed
        };
        self.settle_missed(&mut schedule);
        let mut planned = Planned::new(job, schedule, seed, enabled, now);
        let left = self.take_left(&planned);
        let awaits = left.as_ref().and_then(|left| left.awaits);
        if let Some(left) = left {
            planned.resume(left, now, self.keep);
        }
        #[cfg(feature = "postgres")]
        if self.is_shared {
            planned.await_row();
        }
        let next = planned.due();
        let key = self.schedules.insert(planned);
        self.mark(key);
        let wake = next.is_some_and(|due| self.arm(Token::Schedule(key), due, now));
        Some(Added { key, wake, awaits })
    }

    pub(super) fn schedule_mut(&mut self, key: ScheduleKey) -> Option<&mut Planned> {
        self.schedules.get_mut(key)
    }

    /// Gives schedules another meaning under their keys, of those that are still there. Answers whether the scheduler's
    /// task has to be woken for it. Not while that has slots in its hands.
    pub(crate) fn redefine(
        &mut self,
        schedules: Vec<(ScheduleKey, Resolved)>,
        enabled: impl Fn(JobIx) -> bool,
        now: Reading,
    ) -> bool {
        let keys: HashSet<_> = schedules.iter().map(|(key, _)| *key).collect();
        for wheel in [&mut self.wall, &mut self.elapsed] {
            wheel.retain(|token| !matches!(token, Token::Schedule(key) if keys.contains(&key)));
        }
        let mut wake = false;
        for (key, mut schedule) in schedules {
            self.settle_missed(&mut schedule);
            self.mark(key);
            let Some(planned) = self.schedules.get_mut(key) else { continue };
            planned.redefine(schedule, enabled(planned.job), now);
            #[cfg(feature = "postgres")]
            if self.is_shared {
                planned.await_row();
            }
            if let Some(due) = planned.due() {
                wake |= self.arm(Token::Schedule(key), due, now);
            }
        }
        wake
    }

    /// Counts the first slot of a fixed delay from the end of a run that was there before it. Answers whether the scheduler's
    /// task has to be woken for it.
    pub(crate) fn count_from(&mut self, key: ScheduleKey, end: Timestamp, now: Reading) -> bool {
        let due = self.schedules.get_mut(key).and_then(|planned| planned.count_from(end, now));
        // The timer that was armed before finds nothing due.
        due.is_some_and(|due| self.arm(Token::Schedule(key), due, now))
    }

    /// Arms a delayed run.
    pub(crate) fn delay(&mut self, run: RunKey, delay: Delay, now: Reading) -> bool {
        let due = match delay {
            Delay::At(at) => Due::Wall(at),
            Delay::For(by) => Due::Elapsed(now.elapsed.saturating_add(by)),
        };
        self.arm(Token::Run(run), due, now)
    }

    fn arm(&mut self, token: Token, due: Due, now: Reading) -> bool {
        let (wheel, tick) = match due {
            Due::Wall(at) => (&mut self.wall, wall_tick(at)),
            Due::Elapsed(at) => (&mut self.elapsed, elapsed_tick(at)),
        };
        wheel.insert(tick, token);
        let Some(sleeps_until) = self.sleeps_until else { return false };
        let at = match due {
            Due::Wall(at) => now.elapsed.saturating_add(at.since(now.wall)),
            Due::Elapsed(at) => at,
        };
        let wake = at < sleeps_until;
        if wake {
            // One wake is enough, until the task has looked again.
            self.sleeps_until = None;
            self.wanted_at = at.max(now.elapsed);
        }
        wake
    }

    pub(crate) fn remove(&mut self, key: ScheduleKey) -> Option<Planned> {
        let planned = self.schedules.remove(key)?;
        self.mark_removed(&planned);
        let hash = self.hash_of(planned.job, &planned.identity, &planned.timing);
        if let Some(repeats) = self.repeats.get_mut(&hash) {
            repeats.used = repeats.used.saturating_sub(1);
            if repeats.used == 0 {
                self.repeats.remove(&hash);
            } else if repeats.highest == planned.identity.repeat {
                repeats.highest -= 1;
            }
        }
        Some(planned)
    }

    /// Sets how much of what became of slots is kept.
    pub(crate) fn keep(&mut self, keep: Keep) {
        self.keep = keep;
    }

    /// Fires nothing any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether the task has slots in its hands, between a look at the plan and the next sleep.
    pub(crate) fn is_in_hands(&self) -> bool {
        self.in_hands
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether so many timers are armed that those of removed schedules and cancelled runs should be swept out.
    pub(crate) fn is_crowded(&self) -> bool {
        self.wall.len() + self.elapsed.len() >= self.sweep_at
    }

    /// Sweeps out the timers that no longer count. Done each time their number has doubled, it costs each timer a
    /// constant share.
    pub(crate) fn sweep(&mut self, is_delayed: impl Fn(RunKey) -> bool) {
        let Self { wall, elapsed, schedules, .. } = self;
        for wheel in [&mut *wall, &mut *elapsed] {
            wheel.retain(|token| match token {
                Token::Schedule(key) => schedules.get(key).is_some(),
                Token::Run(run) => is_delayed(run),
            });
        }
        self.sweep_at = FIRST_SWEEP.max(2 * (self.wall.len() + self.elapsed.len()));
    }

    fn hash_of(&self, job: JobIx, identity: &Identity, timing: &Timing) -> u64 {
        let mut state = self.hasher.build_hasher();
        job.hash(&mut state);
        identity.hash_base(timing, &mut state);
        state.finish()
    }

    // Reading.

    pub(crate) fn get(&self, key: ScheduleKey) -> Option<&Planned> {
        self.schedules.get(key)
    }

    pub(crate) fn schedules(&self) -> impl Iterator<Item = (ScheduleKey, &Planned)> {
        self.schedules.iter()
    }

    /// How many places there are for schedules.
    #[cfg(feature = "web")]
    pub(crate) fn places(&self) -> usize {
        self.schedules.places()
    }

    /// The schedules in so many places from one on.
    #[cfg(feature = "web")]
    pub(crate) fn some_schedules(
        &self,
        from: usize,
        count: usize,
    ) -> impl Iterator<Item = (ScheduleKey, &Planned)> {
        self.schedules.part(from, count)
    }

    // What the task does.

    /// Takes out what has come. To be followed by [`plan`](Self::plan), when what has come is under way.
    pub(crate) fn take_due(&mut self, now: Reading, come: &mut Come) {
        self.in_hands = true;
        if self.closed {
            return;
        }
        if wall_tick_now(now.wall) < self.wall.elapsed() {
            self.set_back(now);
        }
        let mut due = std::mem::take(&mut come.due);
        self.wall.advance(wall_tick_now(now.wall), &mut due);
        self.elapsed.advance(elapsed_tick_now(now.elapsed), &mut due);
        for timer in due.drain(..) {
            match timer.token {
                Token::Run(run) => come.releases.push(run),
                Token::Schedule(key) => self.slot_of(key, now, come),
            }
        }
        come.due = due;
    }

    /// Gives out the slot of a schedule that has come. The slot after is planned later: it takes longer to find than
    /// the run takes to start.
    fn slot_of(&mut self, key: ScheduleKey, now: Reading, come: &mut Come) {
        self.mark(key);
        let Some(planned) = self.schedules.get_mut(key) else { return };
        come.planned.push(key);
        if let Some(slot) = planned.take(now) {
            come.give(key, planned, slot);
        }
    }

    /// Arms every schedule that has come for the slot after, and says what was missed, by which `cause`. What is made up for
    /// is given out. A slot that has come as well is due at once. `is_paused` is asked about jobs with missed slots alone.
    pub(crate) fn plan(
        &mut self,
        now: Reading,
        cause: Cause,
        is_paused: impl Fn(JobIx) -> bool,
        come: &mut Come,
    ) -> MissedCount {
        let mut missed = MissedCount::default();
        for key in std::mem::take(&mut come.planned) {
            self.mark(key);
            let Some(planned) = self.schedules.get_mut(key) else { continue };
            let cause = planned.resumed.take().unwrap_or(cause);
            if planned.timing.delay().is_some() {
                // It is armed by the end of its run.
                continue;
            }
            if planned.is_given_out() {
                planned.go_on();
            } else if planned.is_missed(now) {
                let paused = is_paused(planned.job);
                let passed = planned.pass_missed(now, cause, paused, self.keep);
                missed.schedules += usize::from(!passed.entered.is_empty() && !paused);
                for entry in passed.entered {
                    missed.slots = missed.slots.saturating_add(if paused { 0 } else { entry.count });
                    come.tell(planned, entry);
                }
                missed.made_up += passed.made_up.len() as u64;
                passed.made_up.into_iter().for_each(|slot| come.give(key, planned, slot));
            }
            match planned.due() {
                Some(Due::Wall(at)) => self.wall.insert(wall_tick(at), Token::Schedule(key)),
                Some(Due::Elapsed(at)) => self.elapsed.insert(elapsed_tick(at), Token::Schedule(key)),
                None => {}
            }
        }
        missed
    }

    /// The run of a slot has ended, and the next slot of its schedule is counted from there. Answers whether the
    /// scheduler's task has to be woken for it.
    pub(crate) fn run_ended(&mut self, key: ScheduleKey, now: Reading) -> bool {
        self.mark(key);
        let Some(planned) = self.schedules.get_mut(key) else { return false };
        match planned.wait_anew(now) {
            Some(due) if !self.closed => self.arm(Token::Schedule(key), due, now),
            _ => false,
        }
    }

    /// The slots that have been given out and are still to be entered, in the order of their fates.
    pub(crate) fn given(come: &Come) -> impl Iterator<Item = (ScheduleKey, Timestamp)> {
        come.given.iter().map(|(key, slot)| (*key, slot.at))
    }

    /// Enters what became of the slots that [`take_due`](Self::take_due) gave out.
    pub(crate) fn tally(&mut self, now: Reading, come: &mut Come, fates: &mut Vec<SlotFate>) {
        let mut given = std::mem::take(&mut come.given);
        for ((key, slot), fate) in given.drain(..).zip(fates.drain(..)) {
            self.mark(key);
            let Some(planned) = self.schedules.get_mut(key) else { continue };
            let ledger_fate = match fate {
                SlotFate::Ran => Fate::Ran,
                // It has no run, and nobody knows why.
                SlotFate::Begun => Fate::Missed,
                SlotFate::Skipped => Fate::Skipped,
                SlotFate::Paused => Fate::Paused,
                SlotFate::Closed => Fate::ShutDown,
            };
            let entry = planned.enter(slot, ledger_fate, now.wall, self.keep);
            come.tell(planned, entry);
            if fate != SlotFate::Ran
                && let Some(due) = planned.wait_anew(now)
            {
                self.arm(Token::Schedule(key), due, now);
            }
        }
        come.given = given;
    }

    /// Arms every schedule anew: a task that died may have had some in its hands.
    pub(crate) fn rearm(&mut self, now: Reading) {
        self.in_hands = false;
        for wheel in [&mut self.wall, &mut self.elapsed] {
            wheel.retain(|token| matches!(token, Token::Run(_)));
        }
        for (key, planned) in self.schedules.iter_mut() {
            planned.recover(now, self.keep);
            match planned.due() {
                Some(Due::Wall(at)) => self.wall.insert(wall_tick(at), Token::Schedule(key)),
                Some(Due::Elapsed(at)) => self.elapsed.insert(elapsed_tick(at), Token::Schedule(key)),
                None => {}
            }
        }
    }

    /// How long the task may sleep from now; none when nothing is armed.
    pub(crate) fn next_wake(&self, now: Reading) -> Option<Duration> {
        let wall = self.wall.next_tick().map(|tick| wall_of(tick).since(now.wall));
        let elapsed = self.elapsed.next_tick().map(|tick| elapsed_of(tick).since(now.elapsed));
        match (wall, elapsed) {
            (Some(wall), Some(elapsed)) => Some(wall.min(elapsed)),
            (one, other) => one.or(other),
        }
    }

    /// The task goes to sleep until then.
    pub(crate) fn sleep_until(&mut self, until: Elapsed) {
        self.sleeps_until = Some(until);
        self.in_hands = false;
        self.wanted_at = until;
    }

    /// For how long the task should have looked at the plan by now, and has not.
    pub(crate) fn late(&self, now: Reading) -> Duration {
        now.elapsed.since(self.wanted_at)
    }

    /// The wall clock was set back: whatever follows it is armed anew.
    fn set_back(&mut self, now: Reading) {
        let timers = self.wall.reset(wall_tick_now(now.wall));
        for timer in timers {
            let Token::Schedule(key) = timer.token else {
                self.wall.insert(timer.deadline, timer.token);
                continue;
            };
            self.mark(key);
            let Some(planned) = self.schedules.get_mut(key) else { continue };
            planned.set_back(now.wall);
            if let Some(Due::Wall(at)) = planned.due() {
                self.wall.insert(wall_tick(at), timer.token);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
