//! The server's time, as a node has it.
//!
//! The clocks of nodes may differ by minutes, and what one writes another reads. So a node goes by its own monotonic clock
//! and by how far the server's time was from that when it last beat.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::{Reading, Timestamp};

/// An answer that took longer says too little about when the server looked at its clock.
const PROMPT: Duration = Duration::from_secs(1);

/// How far the server's time is ahead of the time that elapses here, in nanoseconds.
#[derive(Debug)]
pub(super) struct ServerTime(AtomicI64);

impl ServerTime {
    /// As long as the server has not told its time, it is taken to be that of this machine.
    pub(super) fn new(now: Reading) -> Self {
        let elapsed = i64::try_from(now.elapsed.since_start().as_nanos()).unwrap_or(i64::MAX);
        Self(AtomicI64::new(now.wall.as_nanos().saturating_sub(elapsed)))
    }

    /// The server has told its time between two readings of the clock here.
    pub(super) fn heard(&self, before: Reading, server: Timestamp, after: Reading) {
        let (asked, answered) = (before.elapsed.since_start(), after.elapsed.since_start());
        let took = answered.saturating_sub(asked);
        if took < PROMPT {
            let middle = i64::try_from((asked + took / 2).as_nanos()).unwrap_or(i64::MAX);
            self.0.store(server.as_nanos().saturating_sub(middle), Ordering::Relaxed);
        }
    }

    pub(super) fn at(&self, now: Reading) -> Timestamp {
        let elapsed = i64::try_from(now.elapsed.since_start().as_nanos()).unwrap_or(i64::MAX);
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed).saturating_add(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Elapsed;

    fn reading(elapsed: u64, wall: i64) -> Reading {
        let elapsed = Elapsed::ZERO.saturating_add(Duration::from_millis(elapsed));
        Reading { elapsed, wall: Timestamp::from_nanos(wall * 1_000_000) }
    }

    fn millis(at: Timestamp) -> i64 {
        at.as_nanos() / 1_000_000
    }

    #[test]
    fn it_goes_on_from_what_the_server_said_whatever_the_wall_clock_does() {
        let time = ServerTime::new(reading(1_000, 500_000));
        assert_eq!(millis(time.at(reading(1_500, 500_500))), 500_500);
        // Minutes ahead of this machine.
        time.heard(reading(2_000, 501_000), Timestamp::from_nanos(700_000_000_000), reading(2_200, 501_200));
        assert_eq!(millis(time.at(reading(2_100, 501_100))), 700_000);
        assert_eq!(millis(time.at(reading(3_100, 9))), 701_000);
    }

    #[test]
    fn an_answer_that_took_long_changes_nothing() {
        let time = ServerTime::new(reading(0, 0));
        time.heard(reading(0, 0), Timestamp::from_nanos(700_000_000_000), reading(1_000, 1_000));
        assert_eq!(millis(time.at(reading(1_000, 1_000))), 1_000);
    }
}
