//! What became of every slot of a schedule, and why.
//!
//! Consecutive slots with one fate are one entry, so that a schedule that always runs has one, whatever its age. Entries
//! are kept for as long as [`Keep`] says; of older ones the [`Tally`] keeps the counts, so that every slot that has come is
//! counted once. Slots that were missed come again when the clock is set back to before them; they are
//! [withdrawn](Ledger::withdraw_missed) then, since they have not been missed after all.
//!
//! A schedule that has never fired owns nothing here.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
pub use crate::job::fate::Fate;
use crate::store::memory::Retention;

/// Why the program could not see a slot come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// The machine slept.
    Suspended,
    /// The clock was set forward.
    ClockSet,
    /// The program did not get its turn.
    Stalled,
    /// There was no program.
    Down,
    /// Of several programs that share a store none had the schedule.
    Closed,
}

impl Cause {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "the machine slept",
            Self::ClockSet => "the clock was set forward",
            Self::Stalled => "the program stalled",
            Self::Down => "the program was not running",
            Self::Closed => "no process had the schedule",
        }
    }
}

/// Consecutive slots with one fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The first of the slots.
    pub(crate) from: Timestamp,
    /// The last.
    pub(crate) to: Timestamp,
    pub(crate) count: u64,
    pub(crate) fate: Fate,
    /// When the last was entered.
    pub(crate) noted: Timestamp,
    /// Of what was missed.
    pub(crate) cause: Option<Cause>,
}

impl Entry {
    pub(crate) fn one(slot: Timestamp, fate: Fate, noted: Timestamp) -> Self {
        Self { from: slot, to: slot, count: 1, fate, noted, cause: None }
    }

    /// Whether the other goes on where this ends. What was missed is told apart by when that was noticed.
    fn goes_on_as(&self, next: &Self) -> bool {
        let noticed = matches!(self.fate, Fate::Missed | Fate::CaughtUp);
        self.count > 0
            && self.fate == next.fate
            && self.cause == next.cause
            && self.to < next.from
            && (!noticed || self.noted == next.noted)
    }
}

/// How many slots there were of each fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tally {
    /// Those that made a run at their time, those that a clock change shifted among them.
    pub ran: u64,
    /// Those that were missed and made a run afterwards.
    pub caught_up: u64,
    /// Those that the overlap policy dropped.
    pub skipped: u64,
    /// Those that were missed and not made up for. Over a sleep of more than a year, of a schedule that leaves out days, it is
    /// at least so many. When the clock is set back to before a missed slot, that comes again and is not counted here any more,
    /// as long as its entry is kept.
    pub missed: u64,
    /// Those that passed while the job was paused.
    pub paused: u64,
    /// Those that passed after the shutdown.
    pub shut_down: u64,
}

impl Tally {
    /// All slots that have come.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { ran, caught_up, skipped, missed, paused, shut_down } = *self;
        [caught_up, skipped, missed, paused, shut_down].into_iter().fold(ran, u64::saturating_add)
    }

    pub(crate) fn plus(mut self, other: Self) -> Self {
        let Self { ran, caught_up, skipped, missed, paused, shut_down } = other;
        self.add(Fate::Ran, ran);
        self.add(Fate::CaughtUp, caught_up);
        self.add(Fate::Skipped, skipped);
        self.add(Fate::Missed, missed);
        self.add(Fate::Paused, paused);
        self.add(Fate::ShutDown, shut_down);
        self
    }

    pub(crate) fn of(&mut self, fate: Fate) -> &mut u64 {
        match fate {
            Fate::Ran | Fate::Shifted => &mut self.ran,
            Fate::CaughtUp => &mut self.caught_up,
            Fate::Skipped => &mut self.skipped,
            Fate::Missed => &mut self.missed,
            Fate::Paused => &mut self.paused,
            Fate::ShutDown => &mut self.shut_down,
        }
    }

    pub(crate) fn add(&mut self, fate: Fate, count: u64) {
        let of = self.of(fate);
        *of = of.saturating_add(count);
    }
}

/// `1440 ran, 3 skipped`, without those that there are none of; `no slot has come`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ran, caught_up, skipped, missed, paused, shut_down } = *self;
        let counts = [
            (ran, "ran"),
            (caught_up, "caught up"),
            (skipped, "skipped"),
            (missed, "missed"),
            (paused, "while paused"),
            (shut_down, "after the shutdown"),
        ];
        let told: Vec<_> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if told.is_empty() { f.write_str("no slot has come") } else { f.write_str(&told.join(", ")) }
    }
}

/// How many entries of a schedule are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) entries: usize,
    pub(crate) age: Duration,
}

impl Keep {
    /// As much as is kept of runs.
    pub(crate) fn like(retention: Retention) -> Self {
        Self { entries: retention.count.min(Self::MOST), age: retention.age }
    }

    /// The most entries of a schedule that are kept, about ten kilobytes of them.
    pub(crate) const MOST: usize = 256;

    #[cfg(test)]
    pub(crate) const DEFAULT: Self = Self { entries: Self::MOST, age: Duration::from_secs(7 * 86_400) };
}

/// What became of the slots of one schedule.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Option<Box<Book>>);

#[derive(Debug)]
struct Book {
    tally: Tally,
    /// The entry that grows, in the book itself: most schedules never have another. Of a count of 0 it is none.
    last: Entry,
    older: VecDeque<Entry>,
}

impl Ledger {
    /// Enters what became of slots. `adjoins` says that no slot of the schedule lies between them and those entered last.
    pub(crate) fn enter(&mut self, entry: Entry, adjoins: bool, keep: Keep) {
        if entry.count == 0 {
            return;
        }
        let Some(book) = &mut self.0 else {
            let mut tally = Tally::default();
            tally.add(entry.fate, entry.count);
            self.0 = Some(Box::new(Book { tally, last: entry, older: VecDeque::new() }));
            return;
        };
        let Book { tally, last, older } = &mut **book;
        tally.add(entry.fate, entry.count);
        if adjoins && last.goes_on_as(&entry) {
            last.to = entry.to;
            last.count = last.count.saturating_add(entry.count);
            last.noted = entry.noted;
        } else {
            let before = std::mem::replace(last, entry);
            if before.count > 0 {
                older.push_back(before);
            }
            if older.len() >= keep.entries.max(1) {
                older.pop_front();
            }
        }
        let too_old = entry.noted.saturating_sub(keep.age);
        while older.front().is_some_and(|oldest| oldest.noted < too_old) {
            older.pop_front();
        }
    }

    /// The clock was set back: slots after now that were missed come again. `through` tells of a time how many slots of an
    /// entry lie up to it, and which is the last.
    pub(crate) fn withdraw_missed(
        &mut self,
        now: Timestamp,
        through: impl Fn(&Entry, Timestamp) -> Option<(u64, Timestamp)>,
    ) {
        let Some(book) = &mut self.0 else { return };
        let Book { tally, last, older } = &mut **book;
        let mut withdraw = |entry: &mut Entry| {
            if entry.fate != Fate::Missed || entry.to <= now {
                return;
            }
            let (left, to) = through(entry, now).unwrap_or((0, entry.from));
            let left = left.min(entry.count);
            let missed = tally.of(Fate::Missed);
            *missed = missed.saturating_sub(entry.count - left);
            entry.count = left;
            entry.to = to;
        };
        older.iter_mut().for_each(&mut withdraw);
        withdraw(last);
        older.retain(|entry| entry.count > 0);
        if last.count == 0
            && let Some(before) = older.pop_back()
        {
            *last = before;
        }
    }

    /// As it was written down.
    pub(super) fn restored(tally: Tally, mut entries: Vec<Entry>) -> Self {
        let Some(last) = entries.pop() else { return Self::default() };
        Self(Some(Box::new(Book { tally, last, older: entries.into() })))
    }

    pub(crate) fn tally(&self) -> Tally {
        self.0.as_ref().map_or_else(Tally::default, |book| book.tally)
    }

    /// The last time that was entered.
    pub(crate) fn last(&self) -> Option<&Entry> {
        self.0.as_ref().map(|book| &book.last).filter(|last| last.count > 0)
    }

    /// The entries that are kept, as they were entered.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        let book = self.0.as_deref();
        let older = book.into_iter().flat_map(|book| &book.older);
        older.chain(book.map(|book| &book.last).filter(|last| last.count > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Keep = Keep { entries: 4, age: Duration::from_secs(1000) };

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn enter(ledger: &mut Ledger, slot: i64, fate: Fate) {
        ledger.enter(Entry::one(time(slot), fate, time(slot)), true, KEEP);
    }

    /// From, to and count in seconds, with the fate.
    fn entries(ledger: &Ledger) -> Vec<(i64, i64, u64, Fate)> {
        let seconds = |at: Timestamp| at.as_nanos() / 1_000_000_000;
        let shown = |entry: &Entry| (seconds(entry.from), seconds(entry.to), entry.count, entry.fate);
        ledger.entries().map(shown).collect()
    }

    /// ```text
    /// 1 2 3 4 5 6 7
    /// r r r s s p r
    /// ```
    #[test]
    fn consecutive_slots_with_one_fate_are_one_entry() {
        let mut ledger = Ledger::default();
        assert_eq!((entries(&ledger), ledger.last()), (vec![], None));
        let fates = [Fate::Ran, Fate::Ran, Fate::Ran, Fate::Skipped, Fate::Skipped, Fate::Paused, Fate::Ran];
        for (slot, fate) in (1..).zip(fates) {
            enter(&mut ledger, slot, fate);
        }
        let wanted =
            [(1, 3, 3, Fate::Ran), (4, 5, 2, Fate::Skipped), (6, 6, 1, Fate::Paused), (7, 7, 1, Fate::Ran)];
        assert_eq!(entries(&ledger), wanted);
        let tally = Tally { ran: 4, skipped: 2, paused: 1, ..Tally::default() };
        assert_eq!((ledger.tally(), tally.total()), (tally, 7));
        assert_eq!(tally.to_string(), "4 ran, 2 skipped, 1 while paused");
        assert_eq!(Tally::default().to_string(), "no slot has come");
    }

    #[test]
    fn what_is_too_old_or_too_much_is_folded_into_the_tally() {
        let mut ledger = Ledger::default();
        for slot in 0..10 {
            enter(&mut ledger, slot, if slot % 2 == 0 { Fate::Ran } else { Fate::Skipped });
        }
        assert_eq!(entries(&ledger).len(), 4);
        assert_eq!(entries(&ledger)[0].0, 6);
        enter(&mut ledger, 1_008, Fate::Ran);
        let wanted = [(8, 8, 1, Fate::Ran), (9, 9, 1, Fate::Skipped), (1_008, 1_008, 1, Fate::Ran)];
        assert_eq!(entries(&ledger), wanted);
        enter(&mut ledger, 5_000, Fate::Paused);
        assert_eq!(entries(&ledger), [(5_000, 5_000, 1, Fate::Paused)], "the last one is always kept");
        assert_eq!(ledger.tally(), Tally { ran: 6, skipped: 5, paused: 1, ..Tally::default() });
    }

    #[test]
    fn what_does_not_adjoin_and_what_was_noticed_apart_is_entered_apart() {
        let mut ledger = Ledger::default();
        enter(&mut ledger, 10, Fate::Ran);
        ledger.enter(Entry::one(time(12), Fate::Ran, time(12)), false, KEEP);
        enter(&mut ledger, 5, Fate::Ran);
        assert_eq!(entries(&ledger), [(10, 10, 1, Fate::Ran), (12, 12, 1, Fate::Ran), (5, 5, 1, Fate::Ran)]);
        let mut ledger = Ledger::default();
        enter(&mut ledger, 1, Fate::Missed);
        enter(&mut ledger, 2, Fate::Missed);
        assert_eq!(entries(&ledger).len(), 2);
    }

    /// ```text
    ///  1  2  3  4  5     6     7  8  9       set back to 3: 1 2 3 stay missed, of what follows what ran
    ///  m  m  m  m  m     r     m  m  m
    /// ```
    #[test]
    fn slots_that_come_again_have_not_been_missed() {
        let mut ledger = Ledger::default();
        let missed = |from: i64, to: i64, noted: i64| Entry {
            to: time(to),
            count: (to - from + 1) as u64,
            cause: Some(Cause::ClockSet),
            ..Entry::one(time(from), Fate::Missed, time(noted))
        };
        ledger.enter(missed(1, 5, 6), true, KEEP);
        enter(&mut ledger, 6, Fate::Ran);
        ledger.enter(missed(7, 9, 10), true, KEEP);
        assert_eq!(ledger.tally().missed, 8);
        let through = |entry: &Entry, now: Timestamp| {
            (now >= entry.from).then(|| (now.since(entry.from).as_secs() + 1, now))
        };
        ledger.withdraw_missed(time(3), through);
        assert_eq!(entries(&ledger), [(1, 3, 3, Fate::Missed), (6, 6, 1, Fate::Ran)]);
        ledger.withdraw_missed(time(0), through);
        assert_eq!(entries(&ledger), [(6, 6, 1, Fate::Ran)]);
        assert_eq!(ledger.tally(), Tally { ran: 1, ..Tally::default() });
        // Of nothing but what was missed, nothing is left, and it goes on.
        let mut ledger = Ledger::default();
        ledger.enter(missed(1, 5, 6), true, KEEP);
        ledger.withdraw_missed(time(0), through);
        assert_eq!((entries(&ledger), ledger.tally().total()), (vec![], 0));
        enter(&mut ledger, 1, Fate::Ran);
        assert_eq!(entries(&ledger), [(1, 1, 1, Fate::Ran)]);
    }
}
