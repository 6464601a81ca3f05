//! A schedule that several processes fire: the row that they share says which slot is next, and this one only plans.

use super::{Due, Given, Planned, first_slot};
use crate::clock::{Reading, Timestamp};
use crate::job::slot::Slot;
use crate::scheduler::ledger::{Cause, Entry, Fate, Keep, Ledger, Tally};
use crate::scheduler::missed::{Slots, own_slot};

/// The server tells times to the microsecond.
const MICRO: i64 = 1_000;

impl Planned {
    /// The slot that would be its next if it were new now; none of one that is off.
    pub(in crate::scheduler) fn first_if_new(&self, now: Reading) -> Option<Timestamp> {
        let first = self.named(first_slot(&self.timing, now)?, now);
        Some(Timestamp::from_nanos(first.as_nanos() / MICRO * MICRO))
    }

    /// Waits for the row to say which slot is next.
    pub(in crate::scheduler) fn await_row(&mut self) {
        self.set_next(None);
        self.given = Given::No;
    }

    /// Goes on with the slot that the row says. Answers whether that is news.
    pub(in crate::scheduler) fn go_to(&mut self, next: Option<Timestamp>) -> bool {
        let next = next.map(Due::Wall);
        let is_news = self.next != next || self.given != Given::No;
        self.given = Given::No;
        if is_news {
            self.set_next(next);
        }
        is_news
    }

    /// What became of its slots before this process had it, and why of others nothing did.
    pub(in crate::scheduler) fn remember(&mut self, entries: Vec<Entry>, cause: Cause) {
        self.learn(entries);
        self.resumed = Some(cause);
    }

    /// What has become of its slots, here and in other processes.
    pub(in crate::scheduler) fn learn(&mut self, entries: Vec<Entry>) {
        let mut tally = Tally::default();
        entries.iter().for_each(|entry| tally.add(entry.fate, entry.count));
        self.last = entries.last().map(|entry| entry.to);
        self.ledger = Ledger::restored(tally, entries);
    }

    /// The slot that follows one by the definition here.
    pub(in crate::scheduler) fn following(&self, slot: Timestamp) -> Option<Timestamp> {
        let schedule = self.timing.schedule()?;
        Slots::next_after(schedule, slot.max(own_slot(schedule, slot)))
    }

    /// The next slot, which has come, may be this process's to fire.
    pub(in crate::scheduler) fn next_by_wall(&self) -> Option<Timestamp> {
        match self.next? {
            Due::Wall(at) => Some(at),
            Due::Elapsed(_) => None,
        }
    }

    /// How the ledger calls a slot that makes a run.
    pub(in crate::scheduler) fn fate_of(&self, slot: Slot) -> Fate {
        let is_shifted = |at: Timestamp| {
            self.timing.schedule().is_some_and(|schedule| schedule.is_shifted(at.to_chrono()))
        };
        match slot.caught_up {
            true => Fate::CaughtUp,
            false if is_shifted(slot.at) => Fate::Shifted,
            false => Fate::Ran,
        }
    }

    /// Enters what became of a slot, here or in another process, unless that is known already.
    pub(in crate::scheduler) fn enter_fate(
        &mut self,
        slot: Timestamp,
        fate: Fate,
        now: Timestamp,
        keep: Keep,
    ) -> Option<Entry> {
        if self.ledger.last().is_some_and(|last| last.to >= slot) {
            return None;
        }
        self.last = Some(slot);
        self.resumed = None;
        let entry = Entry::one(slot, fate, now);
        self.ledger.enter(entry, true, keep);
        Some(entry)
    }
}
