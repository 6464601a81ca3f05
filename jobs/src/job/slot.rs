//! The slot that a run is for.

use std::time::Duration;

use crate::clock::Timestamp;

/// How late a slot may be noticed and still fire as if nothing had happened. A loaded machine is late by milliseconds;
/// a suspension or a step of the clock by minutes. (Quartz's misfire threshold is the same minute.)
pub(crate) const LATE: Duration = Duration::from_secs(60);

/// The slot that a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its nominal time.
    pub(crate) at: Timestamp,
    /// How much later its schedule's jitter lets it fire, in milliseconds.
    pub(crate) jitter_millis: u32,
    /// It was missed, and is made up for.
    pub(crate) caught_up: bool,
}

impl Slot {
    /// A slot that fires at its time.
    pub(crate) fn at(at: Timestamp) -> Self {
        Self { at, jitter_millis: 0, caught_up: false }
    }

    /// Whether an attempt that starts then starts more than [`LATE`] after the slot was to fire.
    pub(crate) fn is_late(self, started: Timestamp) -> bool {
        started.since(self.at) > LATE + Duration::from_millis(self.jitter_millis.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_more_than_a_minute_after_the_jitter() {
        let at = |millis: i64| Timestamp::from_nanos(millis * 1_000_000);
        let slot = Slot { jitter_millis: 500, ..Slot::at(at(1_000)) };
        assert!(!slot.is_late(at(0)));
        assert!(!slot.is_late(at(61_500)));
        assert!(slot.is_late(at(61_501)));
    }
}
