//! How many runs have started and ended in each of the last minutes, how long they waited and how long they took: for
//! the charts of the status page.
//!
//! A ring of an hour. A start and an end add to one place of it, and nothing happens while nothing does: a place that
//! was used an hour ago is begun anew by the first that needs it, and passed over by whoever reads.

use std::time::Duration;

use crate::clock::Timestamp;

/// How many minutes are remembered.
pub(crate) const MINUTES: usize = 60;

const MINUTE: i64 = 60_000_000_000;

/// What has started and ended within one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Minute {
    /// The number of the minute since 1970.
    number: i64,
    pub(crate) started: u32,
    /// How long all of these could have started and found no room.
    pub(crate) waited: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) ended: u32,
    /// How many of them did not end well.
    pub(crate) failed: u32,
    /// How long all of them took.
    pub(crate) took: Duration,
    pub(crate) longest: Duration,
}

impl Minute {
    /// When it began.
    pub(crate) fn began(self) -> Timestamp {
        Timestamp::from_nanos(self.number.saturating_mul(MINUTE))
    }
}

#[derive(Debug)]
pub(super) struct Pace([Minute; MINUTES]);

impl Default for Pace {
    fn default() -> Self {
        Self([Minute::default(); MINUTES])
    }
}

impl Pace {
    fn minute(&mut self, at: Timestamp) -> &mut Minute {
        let number = at.as_nanos().div_euclid(MINUTE);
        let minute = &mut self.0[place(number)];
        if minute.number != number {
            *minute = Minute { number, ..Minute::default() };
        }
        minute
    }

    /// An attempt has started, and waited so long for room.
    pub(super) fn started(&mut self, at: Timestamp, waited: Duration) {
        let minute = self.minute(at);
        minute.started = minute.started.saturating_add(1);
        minute.waited = minute.waited.saturating_add(waited);
        minute.longest_wait = minute.longest_wait.max(waited);
    }

    /// A run has ended, and took so long.
    pub(super) fn ended(&mut self, at: Timestamp, took: Duration, failed: bool) {
        let minute = self.minute(at);
        minute.ended = minute.ended.saturating_add(1);
        minute.failed = minute.failed.saturating_add(u32::from(failed));
        minute.took = minute.took.saturating_add(took);
        minute.longest = minute.longest.max(took);
    }

    /// The last hour, the oldest minute first, the present one last.
    pub(super) fn last(&self, now: Timestamp) -> [Minute; MINUTES] {
        let last = now.as_nanos().div_euclid(MINUTE);
        std::array::from_fn(|index| {
            let number = last - (MINUTES - 1 - index) as i64;
            let minute = self.0[place(number)];
            if minute.number == number { minute } else { Minute { number, ..Minute::default() } }
        })
    }
}

fn place(number: i64) -> usize {
    number.rem_euclid(MINUTES as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_nanos(minute * MINUTE + 7)
    }

    #[test]
    fn minutes_are_added_up_and_forgotten_after_an_hour() {
        let mut pace = Pace::default();
        let took = Duration::from_secs;
        pace.ended(at(100), took(1), false);
        pace.ended(at(100), took(3), true);
        pace.ended(at(101), took(2), false);
        pace.started(at(100), took(5));
        pace.started(at(100), took(7));
        let last = pace.last(at(101));
        let first = last[MINUTES - 2];
        assert_eq!((first.ended, first.failed, first.took, first.longest), (2, 1, took(4), took(3)));
        assert_eq!((first.started, first.waited, first.longest_wait), (2, took(12), took(7)));
        assert_eq!((last[MINUTES - 1].ended, last[0].ended), (1, 0));
        assert_eq!(last[0].began(), Timestamp::from_nanos(42 * MINUTE));
        // An hour later the place of minute 100 is that of minute 160.
        assert!(pace.last(at(160)).iter().skip(1).all(|minute| minute.ended == 0));
        pace.ended(at(160), took(9), false);
        assert_eq!((pace.last(at(160))[MINUTES - 1].ended, pace.last(at(160))[0].ended), (1, 1));
    }

    #[test]
    fn a_clock_that_was_set_back_shows_what_it_says_now() {
        let mut pace = Pace::default();
        pace.ended(at(200), Duration::ZERO, false);
        pace.ended(at(-3), Duration::ZERO, false);
        assert_eq!(pace.last(at(-3))[MINUTES - 1].ended, 1);
        assert_eq!(pace.last(at(200))[MINUTES - 1].ended, 1);
    }
}
