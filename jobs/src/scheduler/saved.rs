//! A schedule as a store writes it down that outlives the process, and how it goes on in another.
//!
//! What is written down is the next slot of which nobody knows yet that it is under way. The run of a slot is made before
//! its schedule goes on, and the recorder reads schedules before runs; so where the process ends between the two, the run
//! is there and tells by its slot that the schedule has gone on.

use serde::{Deserialize, Serialize};

use super::history::Span;
use super::ledger::{Cause, Entry, Fate, Keep, Ledger, Tally};
use super::planned::{Due, Planned};
use crate::clock::{Reading, Timestamp};
use crate::job::slot::Slot;
use crate::schedule::Schedule;
use crate::store::memory::RunKey;

/// A schedule as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// Under another definition it is another schedule that has its key.
    definition: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<Span>,
    #[serde(default)]
    tally: Tally,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Entry>,
}

/// What another process has left of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) saved: Saved,
    /// The slots that have made runs, the earliest first.
    pub(crate) ran: Vec<Timestamp>,
    /// The live run whose end it waits for.
    pub(crate) awaits: Option<RunKey>,
}

impl Planned {
    /// As it is written down.
    pub(super) fn save(&self, now: Reading) -> Saved {
        Saved {
            definition: self.timing.to_string(),
            next: self.next_slot(now),
            first: self.first,
            last: self.last,
            history: self.history.spans().to_vec(),
            tally: self.ledger.tally(),
            entries: self.ledger.entries().copied().collect(),
        }
    }

    /// Goes on where another process has left it. One that has another definition since goes on from now, with what became
    /// of the slots before.
    pub(super) fn resume(&mut self, left: Left, now: Reading, keep: Keep) {
        let Left { saved, ran, awaits } = left;
        self.ledger = Ledger::restored(saved.tally, saved.entries);
        if saved.definition != self.timing.to_string() {
            return;
        }
        (self.first, self.last) = (saved.first, saved.last);
        saved.history.into_iter().for_each(|(first, last)| self.history.add(first, last));
        // Not of one whose job is not enabled.
        if self.next_slot(now).is_none() {
            return;
        }
        self.resumed = Some(Cause::Down);
        if self.timing.delay().is_some() {
            let next = match saved.next {
                _ if awaits.is_some() => None,
                Some(next) => Some(Due::Elapsed(now.elapsed_at(next))),
                // It has waited for a run that has ended.
                None => return,
            };
            self.set_next(next);
            return;
        }
        let Some(next) = saved.next else { return };
        let interval = self.timing.schedule().and_then(Schedule::interval);
        let mut due = interval.map_or(Due::Wall(next), |_| Due::Elapsed(now.elapsed_at(next)));
        // A slot of an interval is named by the clock on the wall, which is set right a little all the time: its run may know
        // it by a name that is some microseconds off.
        let off = interval.unwrap_or_default() / 2;
        // Slots whose run is there, and that the schedule did not know of when it was written down.
        for slot in ran.into_iter().filter(|slot| slot.saturating_add(off) >= next) {
            self.enter(Slot::at(slot), Fate::Ran, now.wall, keep);
            (self.first, self.last) = (self.first.or(Some(slot)), Some(slot));
            let slot = slot.saturating_add(off);
            while let Some(after) = self.after(due).filter(|_| self.named(due, now) <= slot) {
                due = after;
            }
        }
        self.set_next(Some(due));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Elapsed;
    use crate::job::body::{Erased, Template};
    use crate::job::options::SlotOptions;
    use crate::registry::{Identity, Resolved, Timing};
    use crate::scheduler::timers::tests::job;

    fn at(nanos: u64) -> Reading {
        let elapsed = Duration::from_nanos(nanos);
        let wall = Timestamp::from_nanos(1_800_000_000_000_000_000).saturating_add(elapsed);
        Reading { elapsed: Elapsed::ZERO.saturating_add(elapsed), wall }
    }

    fn every_second(now: Reading) -> Planned {
        fn never() -> Erased {
            unreachable!("nothing is executed here")
        }
        let schedule = Resolved {
            timing: Timing::At(Schedule::parse("@every 1s").unwrap()),
            template: Template::Make(never),
            identity: Identity::default(),
            options: SlotOptions::default(),
        };
        Planned::new(job(), schedule, 0, true, now)
    }

    /// Between the run and the record of its schedule the clock on the wall was set right.
    #[test]
    fn a_slot_that_has_run_does_not_run_again_under_another_name() {
        const SECOND: u64 = 1_000_000_000;
        let saved = every_second(at(0)).save(at(0));
        let slot = saved.next.unwrap();
        for name in [
            slot,
            slot.saturating_sub(Duration::from_micros(7)),
            slot.saturating_add(Duration::from_micros(7)),
        ] {
            let mut next = every_second(at(SECOND + 1));
            let left = Left { saved: saved.clone(), ran: vec![name], awaits: None };
            next.resume(left, at(SECOND + 1), Keep::DEFAULT);
            assert_eq!(next.next_slot(at(SECOND + 1)), Some(at(2 * SECOND).wall), "run as {name:?}");
        }
        // And the one before is no reason to leave it out.
        let mut next = every_second(at(SECOND / 2));
        let left = Left { saved, ran: vec![at(0).wall], awaits: None };
        next.resume(left, at(SECOND / 2), Keep::DEFAULT);
        assert_eq!(next.next_slot(at(SECOND / 2)), Some(slot));
    }
}
