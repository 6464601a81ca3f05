//! The plan of one process among several: the rows that they share say which slots are next.

use std::collections::HashSet;

use super::{Come, Timers, Token};
use crate::clock::{Reading, Timestamp};
use crate::job::slot::Slot;
use crate::scheduler::ledger::{Cause, Entry, Fate};
use crate::scheduler::planned::ScheduleKey;
use crate::scheduler::ticks::{elapsed_tick_now, wall_tick_now};
use crate::store::memory::JobIx;

/// A slot that has come, and what takes its place in the row.
#[derive(Debug, Clone, Copy)]
pub(in crate::scheduler) struct Firing {
    pub(in crate::scheduler) schedule: ScheduleKey,
    pub(in crate::scheduler) slot: Slot,
    pub(in crate::scheduler) next: Option<Timestamp>,
}

/// What a look at a schedule whose slots were missed has come to.
pub(in crate::scheduler) struct Passed {
    /// The slot that the row has.
    pub(in crate::scheduler) from: Timestamp,
    /// What is entered, as missed or paused.
    pub(in crate::scheduler) entry: Option<Entry>,
    /// The slots that make runs after all, the earliest first.
    pub(in crate::scheduler) slots: Vec<Slot>,
    /// The slot that follows.
    pub(in crate::scheduler) next: Option<Timestamp>,
}

impl Timers {
    pub(in crate::scheduler) fn share(&mut self) {
        self.is_shared = true;
    }

    /// Goes on with the slot that the row of a schedule says. Answers whether the scheduler's task has to be woken for it.
    pub(in crate::scheduler) fn go_to(
        &mut self,
        key: ScheduleKey,
        next: Option<Timestamp>,
        now: Reading,
    ) -> bool {
        let Some(planned) = self.schedules.get_mut(key) else { return false };
        if !planned.go_to(next) {
            return false;
        }
        // A timer that was armed before finds nothing due.
        planned.due().is_some_and(|due| self.arm(Token::Schedule(key), due, now))
    }

    /// Takes out what has come: delayed runs, and the schedules of which a slot has.
    pub(in crate::scheduler) fn take_shared(&mut self, now: Reading, come: &mut Come) -> Vec<ScheduleKey> {
        if self.closed {
            return Vec::new();
        }
        if wall_tick_now(now.wall) < self.wall.elapsed() {
            // The clock of the server was set back: what is armed is, as the rows are.
            for timer in self.wall.reset(wall_tick_now(now.wall)) {
                self.wall.insert(timer.deadline, timer.token);
            }
        }
        let mut timers = Vec::new();
        self.wall.advance(wall_tick_now(now.wall), &mut timers);
        self.elapsed.advance(elapsed_tick_now(now.elapsed), &mut timers);
        let (mut due, mut seen) = (Vec::new(), HashSet::new());
        for timer in timers {
            match timer.token {
                Token::Run(run) => come.releases.push(run),
                Token::Schedule(key) => {
                    let has_come = self.schedules.get(key).is_some_and(|planned| planned.has_come(now));
                    if has_come && seen.insert(key) {
                        due.push(key);
                    }
                }
            }
        }
        due
    }

    /// Arms schedules again whose slot has come and could not be asked for.
    pub(in crate::scheduler) fn arm_again<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a ScheduleKey>,
        now: Reading,
    ) {
        for key in keys {
            if let Some(due) = self.schedules.get(*key).and_then(|planned| planned.due()) {
                self.arm(Token::Schedule(*key), due, now);
            }
        }
    }

    /// How many entries of a ledger are kept.
    pub(in crate::scheduler) fn most_entries(&self) -> usize {
        self.keep.entries
    }
}

impl Timers {
    pub(in crate::scheduler) fn firing(&self, key: ScheduleKey) -> Option<Firing> {
        let planned = self.get(key)?;
        let at = planned.next_by_wall()?;
        let jitter = planned.jitter().unwrap_or_default().as_millis();
        let slot = Slot { jitter_millis: u32::try_from(jitter).unwrap_or(u32::MAX), ..Slot::at(at) };
        Some(Firing { schedule: key, slot, next: planned.following(at) })
    }

    pub(in crate::scheduler) fn is_missed(&self, key: ScheduleKey, now: Reading) -> bool {
        self.get(key).is_some_and(|planned| planned.is_missed(now))
    }

    pub(in crate::scheduler) fn is_delay(&self, key: ScheduleKey) -> bool {
        self.get(key).is_some_and(|planned| planned.timing.delay().is_some())
    }

    pub(in crate::scheduler) fn fate_of(&self, key: ScheduleKey, slot: Slot) -> Option<Fate> {
        self.get(key).map(|planned| planned.fate_of(slot))
    }

    pub(in crate::scheduler) fn enter_fate(
        &mut self,
        key: ScheduleKey,
        slot: Timestamp,
        fate: Fate,
        now: Reading,
        come: &mut Come,
    ) {
        let keep = self.keep;
        let Some(planned) = self.schedules.get_mut(key) else { return };
        if let Some(entry) = planned.enter_fate(slot, fate, now.wall, keep) {
            come.tell(planned, entry);
        }
    }

    pub(in crate::scheduler) fn remember(&mut self, key: ScheduleKey, entries: Vec<Entry>, cause: Cause) {
        if let Some(planned) = self.schedules.get_mut(key) {
            planned.remember(entries, cause);
        }
    }

    pub(in crate::scheduler) fn learn(&mut self, key: ScheduleKey, entries: Vec<Entry>) {
        if let Some(planned) = self.schedules.get_mut(key) {
            planned.learn(entries);
        }
    }

    pub(in crate::scheduler) fn pass_shared(
        &mut self,
        key: ScheduleKey,
        now: Reading,
        cause: Cause,
        is_paused: impl Fn(JobIx) -> bool,
        come: &mut Come,
    ) -> Option<Passed> {
        let keep = self.keep;
        let planned = self.schedules.get_mut(key)?;
        let from = planned.next_by_wall()?;
        if !planned.is_missed(now) {
            // Another process has fired it, or its time is still to come: it is armed.
            return None;
        }
        let cause = planned.resumed.take().unwrap_or(cause);
        let paused = is_paused(planned.job);
        let passed = planned.pass_missed(now, cause, paused, keep);
        for entry in &passed.entered {
            come.tell(planned, *entry);
        }
        // Slots of one row have no gaps, so there is one entry at most.
        let entry = passed.entered.into_iter().reduce(|one, other| Entry {
            to: other.to,
            count: one.count.saturating_add(other.count),
            ..one
        });
        let next = planned.next_by_wall();
        planned.await_row();
        Some(Passed { from, entry, slots: passed.made_up, next })
    }
}
