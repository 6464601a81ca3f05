//! The plan: every schedule with its next slot, and every delayed run.
//!
//! Two wheels, because two times are counted. Cron schedules and runs for an instant stand in the *wall* wheel, which
//! follows the clock on the wall wherever it is set; intervals and delays stand in the *elapsed* wheel, which no
//! setting of the clock concerns.
//!
//! **A slot is never fired twice, and never early.** The next slot is computed from the nominal time of the last, not
//! from the time at which it was fired. When the clock is set back, a schedule goes on at once, and passes over the
//! slots that it has been through ([`History`]). Slots that were only missed come again.
//!
//! **Late or missed.** A slot that is noticed up to [`LATE`] after its time is late and fires all the same: a short
//! stall loses nothing. One that is noticed later was missed: the machine slept or the clock was set forward. Then, of
//! all slots of the schedule that have come, the last fires if it is only late, and the others are missed, however
//! late they are: a schedule of seconds must not fire sixty times at once when a laptop is opened. On memory, missed
//! slots are skipped.
//!
//! ```text
//!                 LATE                                   LATE
//!            ├───────────┤ now                      ├───────────┤ now
//! ───────────┼──┬──┬──┬──┼─────          ──┬──┬──┬──┼──┬──┬──┬──┼─────
//!               f  f  f                    m  m  m     m  m  f           f fires, m is missed
//! ```
//!
//! One look at the plan passes over any number of missed slots without visiting them: they are counted by arithmetic.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::time::Duration;

use super::wheel::{Timer, Wheel};
use crate::clock::{Elapsed, Reading, Timestamp};
use crate::job::body::{Body, Template};
use crate::pool::{Firing, SlotFate};
use crate::registry::{Identity, Timing};
use crate::schedule::Schedule;
use crate::store::memory::{JobIx, RunKey};
use crate::store::slab::{Key, Slab};

/// How late a slot may be noticed and still fire. A loaded machine is late by milliseconds; a suspension or a step
/// of the clock by minutes. (Quartz's misfire threshold is the same minute.)
pub(crate) const LATE: Duration = Duration::from_secs(60);

/// The place of a schedule.
pub(crate) type ScheduleKey = Key;

/// A schedule in force.
pub(crate) struct Planned {
    pub(crate) job: JobIx,
    pub(crate) timing: Timing,
    pub(crate) template: Template,
    pub(crate) identity: Identity,
    next: Option<Due>,
    /// The next slot has been given out already, and only the one after has not been planned yet.
    given_out: bool,
    /// The last slot that came, whatever became of it.
    last: Option<Timestamp>,
    /// From where on every slot up to the last has come.
    first: Option<Timestamp>,
    /// The slots that came before those.
    history: History,
    pub(crate) tally: Tally,
}

/// What became of the slots of a schedule so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) ran: u32,
    pub(crate) skipped: u32,
    /// At least so many: [`Schedule::count`] does not go through years day by day.
    pub(crate) missed: u32,
    pub(crate) paused: u32,
}

/// What one look at the plan found missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) schedules: usize,
    pub(crate) slots: u64,
}

/// When a schedule's next slot comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Wall(Timestamp),
    Elapsed(Elapsed),
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
    pub(crate) firings: Vec<Firing>,
    /// The schedule of each firing, in the same order.
    pub(crate) schedules: Vec<ScheduleKey>,
    pub(crate) releases: Vec<RunKey>,
    /// Every schedule whose timer has come, to be armed for its next slot.
    planned: Vec<ScheduleKey>,
    due: Vec<Timer<Token>>,
}

pub(crate) struct Timers {
    wall: Wheel<Token>,
    elapsed: Wheel<Token>,
    schedules: Slab<Planned>,
    /// The highest number given to a key of a job, by the hash of both.
    repeats: HashMap<u64, u32>,
    hasher: RandomState,
    /// Until when the scheduler's task sleeps; what is armed for later need not wake it.
    sleeps_until: Option<Elapsed>,
    /// When that task has to have looked at the plan again.
    wanted_at: Elapsed,
    /// When so many timers are armed, those that no longer count are swept out.
    sweep_at: usize,
    closed: bool,
}

/// Fewer timers than this are not worth a sweep.
const FIRST_SWEEP: usize = 1024;

impl Timers {
    pub(crate) fn new(now: Reading) -> Self {
        Self {
            wall: Wheel::new(wall_tick_now(now.wall)),
            elapsed: Wheel::new(elapsed_tick_now(now.elapsed)),
            schedules: Slab::new(),
            repeats: HashMap::new(),
            hasher: RandomState::new(),
            sleeps_until: Some(Elapsed::ZERO),
            wanted_at: now.elapsed,
            sweep_at: FIRST_SWEEP,
            closed: false,
        }
    }

    // Arming. Each answers whether the scheduler's task has to be woken for it.

    /// Arms a schedule: its first slot is the first after now, of an interval one full interval from now. One
    /// whose key its job has already gets the next number. One that is off, or whose job is not
    /// enabled, is kept and never armed. None when the plan is closed.
    pub(crate) fn add(
        &mut self,
        job: JobIx,
        timing: Timing,
        template: Template,
        mut identity: Identity,
        enabled: bool,
        now: Reading,
    ) -> Option<(ScheduleKey, bool)> {
        if self.closed {
            return None;
        }
        let hash = self.hash_of(job, &identity, &timing);
        let highest = self.repeats.entry(hash).or_insert(0);
        *highest += 1;
        identity.repeat = *highest;
        let next = timing.schedule().filter(|_| enabled).and_then(|schedule| match schedule.interval() {
            Some(interval) => Some(Due::Elapsed(now.elapsed.saturating_add(interval))),
            None => next_wall(schedule, now.wall).map(Due::Wall),
        });
        let planned = Planned {
            job,
            timing,
            template,
            identity,
            next,
            given_out: false,
            last: None,
            first: None,
            history: History::default(),
            tally: Tally::default(),
        };
        let key = self.schedules.insert(planned);
        let wake = next.is_some_and(|due| self.arm(Token::Schedule(key), due, now));
        Some((key, wake))
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
        let hash = self.hash_of(planned.job, &planned.identity, &planned.timing);
        if let Some(highest) = self.repeats.get_mut(&hash)
            && *highest == planned.identity.repeat
        {
            *highest -= 1;
            if *highest == 0 {
                self.repeats.remove(&hash);
            }
        }
        Some(planned)
    }

    /// Fires nothing any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
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

    // What the task does.

    /// Takes out what has come. To be followed by [`plan`](Self::plan), when what has come is under way.
    pub(crate) fn take_due(&mut self, now: Reading, come: &mut Come) {
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
        let Some(planned) = self.schedules.get_mut(key) else { return };
        come.planned.push(key);
        let Some((slot, late)) = planned.slot_come(now) else { return };
        // One that was given out already is that of a task that died before it had planned the next.
        if late > LATE || planned.given_out {
            return;
        }
        planned.given_out = true;
        planned.last = Some(slot);
        planned.first.get_or_insert(slot);
        come.firings.push(Firing { job: planned.job, slot, body: Body::Template(planned.template.clone()) });
        come.schedules.push(key);
    }

    /// Arms every schedule that has come for the slot after, and says what was missed. A slot that has come as well
    /// is due at once.
    pub(crate) fn plan(&mut self, now: Reading, come: &mut Come) -> Missed {
        let mut missed = Missed::default();
        for key in come.planned.drain(..) {
            let Some(planned) = self.schedules.get_mut(key) else { continue };
            if planned.given_out {
                planned.next = planned.next.and_then(|due| planned.after(due));
                planned.given_out = false;
            } else if planned.slot_come(now).is_some_and(|(_, late)| late > LATE) {
                missed.schedules += 1;
                missed.slots += planned.skip_missed(now);
            }
            if let Some(due) = planned.next {
                let (wheel, tick) = match due {
                    Due::Wall(at) => (&mut self.wall, wall_tick(at)),
                    Due::Elapsed(at) => (&mut self.elapsed, elapsed_tick(at)),
                };
                wheel.insert(tick, Token::Schedule(key));
            }
        }
        missed
    }

    /// Enters what became of the slots that [`take_due`](Self::take_due) gave out.
    pub(crate) fn tally(&mut self, come: &mut Come, fates: &mut Vec<SlotFate>) {
        for (key, fate) in come.schedules.drain(..).zip(fates.drain(..)) {
            let Some(planned) = self.schedules.get_mut(key) else { continue };
            let tally = &mut planned.tally;
            match fate {
                SlotFate::Ran => tally.ran += 1,
                SlotFate::Skipped => tally.skipped += 1,
                SlotFate::Paused => tally.paused += 1,
                SlotFate::Closed => {}
            }
        }
    }

    /// Arms every schedule anew: a task that died may have had some in its hands.
    pub(crate) fn rearm(&mut self) {
        for wheel in [&mut self.wall, &mut self.elapsed] {
            wheel.retain(|token| matches!(token, Token::Run(_)));
        }
        for (key, planned) in self.schedules.iter() {
            match planned.next {
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
            let Some(planned) = self.schedules.get_mut(key) else { continue };
            planned.set_back(now.wall);
            if let Some(Due::Wall(at)) = planned.next {
                self.wall.insert(wall_tick(at), timer.token);
            }
        }
    }
}

impl Planned {
    /// The instant of the next slot, as the clock stands now.
    pub(crate) fn next_slot(&self, now: Reading) -> Option<Timestamp> {
        Some(match self.next? {
            Due::Wall(at) => at,
            Due::Elapsed(at) => now.wall.saturating_add(at.since(now.elapsed)),
        })
    }

    /// The slot that has come, if one has, and how late it is noticed.
    fn slot_come(&self, now: Reading) -> Option<(Timestamp, Duration)> {
        match self.next? {
            Due::Wall(slot) if slot <= now.wall => Some((slot, now.wall.since(slot))),
            Due::Elapsed(at) if at <= now.elapsed => {
                let late = now.elapsed.since(at);
                Some((now.wall.saturating_sub(late), late))
            }
            _ => None,
        }
    }

    /// The last slot that came, whatever became of it.
    pub(crate) fn last_slot(&self) -> Option<Timestamp> {
        self.last
    }

    /// What follows a slot.
    fn after(&self, due: Due) -> Option<Due> {
        match due {
            Due::Wall(slot) => self.next_wall(slot).map(Due::Wall),
            Due::Elapsed(at) => {
                let interval = self.timing.schedule()?.interval()?;
                Some(Due::Elapsed(at.saturating_add(interval)))
            }
        }
    }

    /// The first slot after `from` that has not come already.
    fn next_wall(&self, from: Timestamp) -> Option<Timestamp> {
        let schedule = self.timing.schedule()?;
        let mut next = next_wall(schedule, from)?;
        while let Some(end) = self.history.end_of_span_at(next) {
            next = next_wall(schedule, end)?;
        }
        Some(next)
    }

    /// Whether no slot comes between the time and the slot.
    fn reaches(&self, slot: Timestamp, from: Timestamp) -> bool {
        let next = self.timing.schedule().and_then(|schedule| next_wall(schedule, from));
        next.is_some_and(|next| slot <= next)
    }

    /// The next slot does not follow the last: what lies between has not come.
    fn leave_gap(&mut self) {
        if let Some((first, last)) = self.first.take().zip(self.last) {
            self.history.add(first, last);
        }
    }

    /// Passes over the slots that have come, of which the first was noticed too late, up to the last one if that is
    /// only late. Says how many were missed.
    fn skip_missed(&mut self, now: Reading) -> u64 {
        let Some(schedule) = self.timing.schedule() else { return 0 };
        let (come, last_is_late) = match self.next {
            Some(Due::Elapsed(first)) => {
                let Some(interval) = schedule.interval() else { return 0 };
                let behind = now.elapsed.since(first);
                let (behind, step) = (nanos(behind), nanos(interval));
                let last = first.saturating_add(Duration::from_nanos(behind - behind % step));
                let last_is_late = now.elapsed.since(last) <= LATE;
                let next = if last_is_late { last } else { last.saturating_add(interval) };
                self.next = Some(Due::Elapsed(next));
                (behind / step + 1, last_is_late)
            }
            Some(Due::Wall(first)) => {
                self.leave_gap();
                let just_before = |slot: Timestamp| slot.saturating_sub(Duration::from_nanos(1));
                let come = self.count_new(just_before(first), now.wall);
                // At most one for every second of LATE.
                let mut next = self.next_wall(just_before(first.max(now.wall.saturating_sub(LATE))));
                let mut last = None;
                while let Some(slot) = next.filter(|slot| *slot <= now.wall) {
                    last = Some(slot);
                    next = self.next_wall(slot);
                }
                self.next = last.or(next).map(Due::Wall);
                (come, last.is_some())
            }
            None => return 0,
        };
        let missed = come.saturating_sub(u64::from(last_is_late));
        self.tally.missed = self.tally.missed.saturating_add(u32::try_from(missed).unwrap_or(u32::MAX));
        missed
    }

    /// How many cron slots lie after the one time and not after the other, but for those that have come before.
    fn count_new(&self, after: Timestamp, through: Timestamp) -> u64 {
        let count = |after: Timestamp, through: Timestamp| match self.timing.schedule() {
            Some(schedule) if after < through => schedule.count(after.to_chrono(), through.to_chrono()),
            _ => 0,
        };
        let (mut counted, mut after) = (0, after);
        for &(first, last) in self.history.spans() {
            counted += count(after, through.min(first.saturating_sub(Duration::from_nanos(1))));
            after = after.max(last);
        }
        counted + count(after, through)
    }

    /// The wall clock was set back to `now`.
    fn set_back(&mut self, now: Timestamp) {
        let from = match self.first.zip(self.last) {
            // A small step, into the slots that have just come.
            Some((first, last)) if self.reaches(first, now) => last,
            _ => now,
        };
        if from == now {
            self.leave_gap();
        }
        self.next = self.next_wall(from.max(now)).map(Due::Wall);
        self.given_out = false;
    }
}

/// Spans of time whose slots have all come, for the day on which the clock is set back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::box_collection, reason = "one word in every schedule, and hardly any has a history")]
struct History(Option<Box<Vec<Span>>>);

/// From one slot to another, both of them included.
type Span = (Timestamp, Timestamp);

impl History {
    /// Spans that are kept. With more, the two earliest become one, together with the gap between them.
    const KEPT: usize = 16;

    fn add(&mut self, first: Timestamp, last: Timestamp) {
        let spans = self.0.get_or_insert_default();
        spans.retain(|span| !(first <= span.0 && span.1 <= last));
        spans.push((first, last));
        spans.sort_unstable();
        if spans.len() > Self::KEPT {
            let (first, last) = spans.remove(0);
            spans[0] = (first, spans[0].1.max(last));
        }
    }

    /// The earliest first.
    fn spans(&self) -> &[Span] {
        self.0.as_ref().map_or(&[], |spans| spans)
    }

    /// The end of a span that a slot lies in.
    fn end_of_span_at(&self, slot: Timestamp) -> Option<Timestamp> {
        self.spans().iter().find(|(first, last)| *first <= slot && slot <= *last).map(|(_, last)| *last)
    }
}

/// The next fire time of a cron schedule, strictly later whatever the engine says.
fn next_wall(schedule: &Schedule, from: Timestamp) -> Option<Timestamp> {
    let next = Timestamp::from_chrono(schedule.next_after(from.to_chrono())?);
    debug_assert!(next > from, "`{schedule}` gave {next:?}, which is not after {from:?}");
    (next > from && next < Timestamp::MAX).then_some(next)
}

/// As many as fit, which are those of 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

// Ticks are whole milliseconds. What is armed rounds up and the present rounds down: nothing fires early.

const NANOS_PER_TICK: u64 = 1_000_000;

fn wall_tick(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(0).div_ceil(NANOS_PER_TICK)
}

fn wall_tick_now(now: Timestamp) -> u64 {
    u64::try_from(now.as_nanos()).unwrap_or(0) / NANOS_PER_TICK
}

fn wall_of(tick: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(tick.saturating_mul(NANOS_PER_TICK)).unwrap_or(i64::MAX))
}

fn elapsed_tick(at: Elapsed) -> u64 {
    u64::try_from(at.since_start().as_nanos().div_ceil(u128::from(NANOS_PER_TICK))).unwrap_or(u64::MAX)
}

fn elapsed_tick_now(now: Elapsed) -> u64 {
    u64::try_from(now.since_start().as_millis()).unwrap_or(u64::MAX)
}

fn elapsed_of(tick: u64) -> Elapsed {
    Elapsed::ZERO.saturating_add(Duration::from_millis(tick))
}

#[cfg(test)]
mod tests;
