//! A schedule in the plan: its next slot, the slots that have come, and what became of them.

mod passed;
#[cfg(feature = "postgres")]
mod shared;

use std::time::Duration;

use jobs_syntax::Missed;

use super::history::History;
use super::jitter;
use super::ledger::{Cause, Entry, Fate, Keep, Ledger};
use super::missed::Slots;
use crate::clock::{Elapsed, Reading, Timestamp};
use crate::job::body::Template;
use crate::job::options::SlotOptions;
use crate::job::slot::{LATE, Slot};
use crate::registry::{Identity, Resolved, Timing};
use crate::schedule::Schedule;
use crate::store::memory::JobIx;
use crate::store::slab::Key;

/// The place of a schedule.
pub(crate) type ScheduleKey = Key;

/// A schedule in force.
pub(crate) struct Planned {
    pub(crate) job: JobIx,
    pub(crate) timing: Timing,
    pub(crate) template: Template,
    pub(crate) identity: Identity,
    /// Only of one for which the defaults do not do.
    options: Option<Box<Options>>,
    next: Option<Due>,
    given: Given,
    /// The last slot that came, whatever became of it.
    pub(super) last: Option<Timestamp>,
    /// From where on every slot up to the last has come.
    pub(super) first: Option<Timestamp>,
    /// The slots that came before those.
    pub(super) history: History,
    pub(crate) ledger: Ledger,
    /// It has changed since it was last written down.
    pub(super) is_marked: bool,
    /// Another process has left it: why it has missed what it has missed by now.
    pub(super) resumed: Option<Cause>,
}

/// How far the slot has come that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// There is none.
    No,
    /// It was given out.
    Out,
    /// It was given out and entered, and what follows has not been planned yet.
    Entered,
    /// Of a fixed delay: its run has not ended, from where the next is counted.
    Awaited,
}

/// What is special about the slots of a schedule.
struct Options {
    jitter: Duration,
    missed: Missed,
    seed: u64,
    /// How much later than its time the next slot fires.
    delay: Duration,
}

/// When a schedule's next slot comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Wall(Timestamp),
    Elapsed(Elapsed),
}

impl Due {
    fn later(self, by: Duration) -> Self {
        match self {
            Self::Wall(at) => Self::Wall(at.saturating_add(by)),
            Self::Elapsed(at) => Self::Elapsed(at.saturating_add(by)),
        }
    }
}

impl Planned {
    /// A schedule that is new, to which `seed` gives its own jitter. One that is not enabled has no next slot.
    pub(super) fn new(job: JobIx, schedule: Resolved, seed: u64, enabled: bool, now: Reading) -> Self {
        let Resolved { timing, template, identity, options } = schedule;
        let next = if enabled { first_slot(&timing, now) } else { None };
        let options = match options {
            SlotOptions { jitter: None, missed: None } => None,
            SlotOptions { jitter, missed } => Some(Box::new(Options {
                jitter: jitter.unwrap_or_default(),
                missed: missed.unwrap_or(Missed::SKIP),
                seed,
                delay: Duration::ZERO,
            })),
        };
        let mut planned = Self {
            job,
            timing,
            template,
            identity,
            options,
            next: None,
            given: Given::No,
            last: None,
            first: None,
            history: History::default(),
            ledger: Ledger::default(),
            is_marked: false,
            resumed: None,
        };
        planned.set_next(next);
        planned
    }

    /// What it means, to be given another meaning.
    pub(crate) fn definition(&self) -> Resolved {
        let options = self.options.as_ref().map_or_else(SlotOptions::default, |options| SlotOptions {
            jitter: Some(options.jitter),
            missed: Some(options.missed),
        });
        let (timing, template, identity) =
            (self.timing.clone(), self.template.clone(), self.identity.clone());
        Resolved { timing, template, identity, options }
    }

    /// Another meaning under the same key: it goes on from now, and nothing is made up for across the change. The slots
    /// themselves are not touched where they stay what they are.
    pub(super) fn redefine(&mut self, schedule: Resolved, enabled: bool, now: Reading) {
        let job = self.job;
        let repeat = self.identity.repeat;
        let seed = self.options.as_ref().map_or(u64::from(repeat), |options| options.seed);
        let is_same = self.timing == schedule.timing;
        let new = Self::new(job, schedule, seed, enabled, now);
        if !is_same {
            self.leave_gap();
            self.given = Given::No;
        }
        // Of a fixed delay whose run has not ended the end says when the next slot comes.
        let goes_on = self.next.is_some() || self.given == Given::Awaited;
        let next = if is_same && goes_on && enabled { self.next } else { new.next };
        let Self { timing, template, identity, options, .. } = new;
        (self.timing, self.template, self.identity, self.options) = (timing, template, identity, options);
        self.identity.repeat = repeat;
        self.set_next(next);
    }

    /// What tells it from the others of its job.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a store that outlives the process asks"))]
    pub(crate) fn key(&self) -> String {
        self.identity.key(&self.timing)
    }

    // The next slot.

    /// The instant of the next slot, as the clock stands now.
    pub(crate) fn next_slot(&self, now: Reading) -> Option<Timestamp> {
        Some(self.named(self.next?, now))
    }

    /// The last slot that came, whatever became of it.
    pub(crate) fn last_slot(&self) -> Option<Timestamp> {
        self.last
    }

    /// By how much slots may fire later than their time.
    pub(crate) fn jitter(&self) -> Option<Duration> {
        self.options.as_ref().map(|options| options.jitter).filter(|jitter| !jitter.is_zero())
    }

    /// What becomes of slots that are missed.
    pub(crate) fn missed_policy(&self) -> Missed {
        self.options.as_ref().map_or(Missed::SKIP, |options| options.missed)
    }

    /// When the next slot fires.
    pub(super) fn due(&self) -> Option<Due> {
        Some(self.next?.later(self.delay()))
    }

    fn delay(&self) -> Duration {
        self.options.as_ref().map_or(Duration::ZERO, |options| options.delay)
    }

    pub(super) fn set_next(&mut self, next: Option<Due>) {
        let delay = next.map_or(Duration::ZERO, |next| self.delay_of(next));
        if let Some(options) = &mut self.options {
            options.delay = delay;
        }
        self.next = next;
    }

    /// How much later than its time a slot fires; never after the next.
    fn delay_of(&self, slot: Due) -> Duration {
        let Some(Options { jitter, seed, .. }) = self.options.as_deref() else { return Duration::ZERO };
        if jitter.is_zero() {
            return Duration::ZERO;
        }
        let (number, following) = match slot {
            Due::Wall(at) => {
                let next = self.timing.schedule().and_then(|schedule| Slots::next_after(schedule, at));
                (at.as_nanos().cast_unsigned(), next.map(|next| next.since(at)))
            }
            Due::Elapsed(at) => {
                let interval = self.timing.schedule().and_then(Schedule::interval);
                (u64::try_from(at.since_start().as_nanos()).unwrap_or(u64::MAX), interval)
            }
        };
        jitter::part_of(following.map_or(*jitter, |following| following.min(*jitter)), *seed, number)
    }

    /// The slot as the clock on the wall names it now.
    pub(super) fn named(&self, due: Due, now: Reading) -> Timestamp {
        match due {
            Due::Wall(at) => at,
            Due::Elapsed(at) if at > now.elapsed => now.wall.saturating_add(at.since(now.elapsed)),
            Due::Elapsed(at) => now.wall.saturating_sub(now.elapsed.since(at)),
        }
    }

    // Slots that come.

    /// How late it is for the next slot, if that has come.
    fn lateness(&self, now: Reading) -> Option<Duration> {
        match self.due()? {
            Due::Wall(at) if at <= now.wall => Some(now.wall.since(at)),
            Due::Elapsed(at) if at <= now.elapsed => Some(now.elapsed.since(at)),
            _ => None,
        }
    }

    /// Whether the next slot has come.
    #[cfg(feature = "postgres")]
    pub(super) fn has_come(&self, now: Reading) -> bool {
        self.lateness(now).is_some()
    }

    /// The next slot has come too late to fire. A fixed delay has one slot at a time, which is as good late.
    pub(super) fn is_missed(&self, now: Reading) -> bool {
        self.timing.delay().is_none() && self.lateness(now).is_some_and(|late| late > LATE)
    }

    /// Gives out the slot that has come, if one has and is not too late.
    pub(super) fn take(&mut self, now: Reading) -> Option<Slot> {
        self.lateness(now)?;
        // One that was given out already is that of a task that died before it had planned the next.
        if self.is_given_out() || self.is_missed(now) {
            return None;
        }
        let at = self.named(self.next?, now);
        let jitter_millis = u32::try_from(self.delay().as_millis()).unwrap_or(u32::MAX);
        self.given = Given::Out;
        self.last = Some(at);
        self.first.get_or_insert(at);
        if self.timing.delay().is_some() {
            // What follows is counted from the end of the run.
            self.set_next(None);
        }
        Some(Slot { jitter_millis, ..Slot::at(at) })
    }

    /// The next slot has been given out already, and only the one after has not been planned yet.
    pub(super) fn is_given_out(&self) -> bool {
        self.given != Given::No
    }

    /// The task of the scheduler has died, perhaps with a slot in its hands. The run of that was made as a rule.
    pub(super) fn recover(&mut self, now: Reading, keep: Keep) {
        if self.given == Given::Out
            && let Some(at) = self.last
        {
            self.enter(Slot::at(at), Fate::Ran, now.wall, keep);
            // Of a fixed delay nobody knows whether there is a run to wait for, unless that has ended already.
            if self.next.is_none() {
                self.wait_anew(now);
            }
        }
    }

    /// The slot that was given out is under way: what follows is next.
    pub(super) fn go_on(&mut self) {
        let next = self.next.and_then(|due| self.after(due));
        self.set_next(next);
        self.given = Given::No;
    }

    /// A slot of a fixed delay is over, or the run that it has made: the next comes when the delay has passed.
    pub(super) fn wait_anew(&mut self, now: Reading) -> Option<Due> {
        let delay = self.timing.delay()?;
        self.set_next(Some(Due::Elapsed(now.elapsed.saturating_add(delay))));
        if self.given == Given::Awaited {
            self.given = Given::No;
        }
        self.due()
    }

    /// The first slot of a fixed delay is counted from the end of a run that was there before it.
    pub(super) fn count_from(&mut self, end: Timestamp, now: Reading) -> Option<Due> {
        let rest = self.timing.delay()?.saturating_sub(now.wall.since(end));
        self.next?;
        self.set_next(Some(Due::Elapsed(now.elapsed.saturating_add(rest))));
        self.due()
    }

    /// Enters what became of a slot, and answers with what was entered.
    pub(super) fn enter(&mut self, slot: Slot, fate: Fate, now: Timestamp, keep: Keep) -> Entry {
        if self.given == Given::Out {
            self.given = match self.timing.delay() {
                None => Given::Entered,
                // Its run may have ended by now.
                Some(_) if self.next.is_some() => Given::No,
                Some(_) => Given::Awaited,
            };
        }
        let fate = match fate {
            Fate::Ran if slot.caught_up => Fate::CaughtUp,
            Fate::Ran
                if self
                    .timing
                    .schedule()
                    .is_some_and(|schedule| schedule.is_shifted(slot.at.to_chrono())) =>
            {
                Fate::Shifted
            }
            fate => fate,
        };
        let entry = Entry::one(slot.at, fate, now);
        self.note(entry, keep);
        entry
    }

    fn note(&mut self, entry: Entry, keep: Keep) {
        let adjoins = self.ledger.last().is_none_or(|last| !self.history.lies_between(last.to, entry.from));
        self.ledger.enter(entry, adjoins, keep);
    }

    /// What follows a slot.
    pub(super) fn after(&self, due: Due) -> Option<Due> {
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
        New { schedule: self.timing.schedule()?, history: &self.history }.next_after(from)
    }
}

/// The slots of a cron schedule that have not come yet.
struct New<'a> {
    schedule: &'a Schedule,
    history: &'a History,
}

impl Slots for New<'_> {
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut next = Slots::next_after(self.schedule, after)?;
        while let Some(end) = self.history.end_of_span_at(next) {
            next = Slots::next_after(self.schedule, end)?;
        }
        Some(next)
    }

    fn count(&self, after: Timestamp, through: Timestamp) -> u64 {
        let pieces = self.history.pieces_between(after, through);
        pieces.map(|(after, through)| Slots::count(self.schedule, after, through)).sum()
    }
}

/// The first slot of a schedule that is new.
fn first_slot(timing: &Timing, now: Reading) -> Option<Due> {
    let after = |wait| Due::Elapsed(now.elapsed.saturating_add(wait));
    match timing {
        Timing::At(schedule) => match schedule.interval() {
            Some(interval) => Some(after(interval)),
            None => Slots::next_after(schedule, now.wall).map(Due::Wall),
        },
        Timing::Delay(delay) => Some(after(*delay)),
        Timing::Off(_) => None,
    }
}
