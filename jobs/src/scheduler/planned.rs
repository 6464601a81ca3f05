//! A schedule in the plan: its next slot, the slots that have come, and those that were missed.

use std::time::Duration;

use super::history::History;
use crate::clock::{Elapsed, Reading, Timestamp};
use crate::job::body::Template;
use crate::job::slot::LATE;
use crate::registry::{Identity, Timing};
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
    pub(super) next: Option<Due>,
    /// The next slot has been given out already, and only the one after has not been planned yet.
    pub(super) given_out: bool,
    /// The last slot that came, whatever became of it.
    pub(super) last: Option<Timestamp>,
    /// From where on every slot up to the last has come.
    pub(super) first: Option<Timestamp>,
    /// The slots that came before those.
    pub(super) history: History,
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

/// When a schedule's next slot comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Wall(Timestamp),
    Elapsed(Elapsed),
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
    pub(super) fn slot_come(&self, now: Reading) -> Option<(Timestamp, Duration)> {
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

    /// A slot of a fixed delay is over, or the run that it has made: the next comes when the delay has passed.
    pub(super) fn wait_anew(&mut self, now: Reading) -> Option<Due> {
        let due = Due::Elapsed(now.elapsed.saturating_add(self.timing.delay()?));
        self.next = Some(due);
        Some(due)
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
    pub(super) fn skip_missed(&mut self, now: Reading) -> u64 {
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
    pub(super) fn set_back(&mut self, now: Timestamp) {
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

/// The first slot of a schedule that is new.
pub(super) fn first_slot(timing: &Timing, now: Reading) -> Option<Due> {
    let after = |wait| Due::Elapsed(now.elapsed.saturating_add(wait));
    match timing {
        Timing::At(schedule) => match schedule.interval() {
            Some(interval) => Some(after(interval)),
            None => next_wall(schedule, now.wall).map(Due::Wall),
        },
        Timing::Delay(delay) => Some(after(*delay)),
        Timing::Off(_) => None,
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
