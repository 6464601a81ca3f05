//! Slots that nobody could see come: missed, made up for, or after the shutdown; and those that come again.

use jobs_syntax::MissedPolicy;

use super::{Due, Given, New, Planned};
use crate::clock::{Reading, Timestamp};
use crate::job::slot::{LATE, Slot};
use crate::scheduler::history::{History, Span};
use crate::scheduler::ledger::{Cause, Entry, Fate, Keep};
use crate::scheduler::missed::{self, Beat, Following, Slots, before, last_through, own_slot};

/// What a look at a schedule whose slots were missed has come to.
#[derive(Debug, Default)]
pub(in crate::scheduler) struct Passed {
    /// What was entered: as missed, or as paused.
    pub(in crate::scheduler) entered: Vec<Entry>,
    /// The slots that are made up for, the earliest first.
    pub(in crate::scheduler) made_up: Vec<Slot>,
}

impl Planned {
    /// Passes over the slots that have come, of which the first was noticed too late, up to the last one if that is only
    /// late, and enters those that are not made up for.
    ///
    /// Those of a job that is `paused` would have made no run, seen or not: they have come and are entered as paused.
    pub(in crate::scheduler) fn pass_missed(
        &mut self,
        now: Reading,
        cause: Cause,
        paused: bool,
        keep: Keep,
    ) -> Passed {
        let (Some(next), Some(schedule)) = (self.next, self.timing.schedule().cloned()) else {
            return Passed::default();
        };
        if matches!(next, Due::Wall(_)) {
            self.leave_gap();
        }
        let history = std::mem::take(&mut self.history);
        let slots: &dyn Slots = match schedule.interval() {
            Some(interval) => &Beat { first: self.named(next, now), interval },
            None => {
                let first = self.named(next, now);
                let from = first.max(own_slot(&schedule, first));
                &Following { first, from, rest: &New { schedule: &schedule, history: &history } }
            }
        };
        let due = |slot: Timestamp| match next {
            Due::Wall(_) => Due::Wall(slot),
            // Unlike the name, it may be in the future.
            Due::Elapsed(at) => Due::Elapsed(at.saturating_add(slot.since(self.named(next, now)))),
        };
        let late = |slot: Timestamp| now.wall.since(slot.saturating_add(self.delay_of(due(slot))));

        let after = before(self.named(next, now));
        let Some(newest) = last_through(slots, after, now.wall) else {
            self.history = history;
            return Passed::default();
        };
        let fires = late(newest) <= LATE;
        let through = if fires { before(newest) } else { newest };
        let policy = self.missed_policy();
        let made_up = match policy.policy() {
            _ if paused => Vec::new(),
            // The last one runs anyway.
            MissedPolicy::Once if fires => Vec::new(),
            _ => missed::made_up(slots, after, through, now.wall, policy),
        };
        let made_up: Vec<_> = made_up
            .into_iter()
            .map(|at| {
                let delay = self.delay_of(due(at)).as_millis();
                let jitter_millis = u32::try_from(delay).unwrap_or(u32::MAX);
                Slot { at, jitter_millis, caught_up: late(at) > LATE }
            })
            .collect();
        let missed_through = made_up.first().map_or(through, |first| before(first.at));
        let like = match paused {
            true => Entry::one(after, Fate::Paused, now.wall),
            false => Entry { cause: Some(cause), ..Entry::one(after, Fate::Missed, now.wall) },
        };
        let entered = entries_between(slots, &history, after, missed_through, like);
        let following = if fires { Some(newest) } else { slots.next_after(newest) };
        let following = following.map(due);

        self.history = history;
        self.set_next(following);
        if let (Some(first), Some(last)) = (made_up.first(), made_up.last()) {
            (self.first, self.last) = (Some(first.at), Some(last.at));
        }
        if let (true, Some(first), Some(last)) = (paused, entered.first(), entered.last()) {
            (self.first, self.last) = (Some(first.from), Some(last.to));
        }
        entered.iter().for_each(|entry| self.note(*entry, keep));
        Passed { entered, made_up }
    }

    /// What the shutdown has left of slots that would have come by now.
    pub(crate) fn unfired(&self, now: Reading) -> Vec<Entry> {
        let (Some(next), Some(_)) = (self.next, self.lateness(now)) else { return Vec::new() };
        let first = self.named(next, now);
        let entry = Entry::one(first, Fate::ShutDown, now.wall);
        let Some(schedule) = self.timing.schedule() else { return vec![entry] };
        match schedule.interval() {
            Some(interval) => {
                let beat = Beat { first, interval };
                entries_between(&beat, &History::default(), before(first), now.wall, entry)
            }
            None => {
                let new = New { schedule, history: &self.history };
                entries_between(&new, &self.history, before(first), now.wall, entry)
            }
        }
    }

    /// Whether no slot comes between the time and the slot.
    fn reaches(&self, slot: Timestamp, from: Timestamp) -> bool {
        let next = self.timing.schedule().and_then(|schedule| Slots::next_after(schedule, from));
        next.is_some_and(|next| slot <= next)
    }

    /// The next slot does not follow the last: what lies between has not come.
    pub(super) fn leave_gap(&mut self) {
        if let Some((first, last)) = self.first.take().zip(self.last) {
            self.history.add(first, last);
        }
    }

    /// The wall clock was set back to `now`. What was missed after that comes again.
    pub(in crate::scheduler) fn set_back(&mut self, now: Timestamp) {
        // One whose time has come, also on the clock as it is now, and whose jitter holds it back, is still to fire.
        let held_back = matches!(self.next, Some(Due::Wall(at)) if at <= now) && self.given == Given::No;
        if !held_back {
            let from = match self.first.zip(self.last) {
                // A small step, into the slots that have just come.
                Some((first, last)) if self.reaches(first, now) => last,
                _ => now,
            };
            if from == now {
                self.leave_gap();
            }
            let next = self.next_wall(from.max(now)).map(Due::Wall);
            self.set_next(next);
            self.given = Given::No;
        }
        let Some(schedule) = self.timing.schedule() else { return };
        self.ledger.withdraw_missed(now, |entry, now| {
            let last = last_through(schedule, before(entry.from), now)?;
            Some((Slots::count(schedule, before(entry.from), last), last))
        });
    }
}

/// The slots after the one time and up to the other as entries of a ledger: one, unless slots that have come lie between.
fn entries_between(
    slots: &dyn Slots,
    history: &History,
    after: Timestamp,
    through: Timestamp,
    like: Entry,
) -> Vec<Entry> {
    let entry = |(after, through): Span| {
        let from = slots.next_after(after).filter(|from| *from <= through)?;
        let to = last_through(slots, after, through)?;
        // The count of a long time may be too small, and there are both ends.
        let count = slots.count(after, through).max(1 + u64::from(from < to));
        Some(Entry { from, to, count, ..like })
    };
    history.pieces_between(after, through).filter_map(entry).collect()
}
