//! What has become slow is done more rarely, so that it takes a part of the time and not all of it.
//!
//! An old transaction somewhere keeps the server from forgetting what was claimed, and whoever reads an index from its
//! beginning reads all of that. A server that is far away or busy is no reason: there, all that is asked takes longer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::monotonic_now;

/// What takes less, or less than so many heartbeats, may be done at any time.
const SHORT: Duration = Duration::from_millis(10);
const BEATS: u32 = 8;

/// Between two of what takes longer lies so many times as long, and at most so much.
const TIMES: u32 = 4;
const AT_MOST: Duration = Duration::from_secs(10);

/// How long the last heartbeats took, which the server answers as soon as it can.
#[derive(Debug, Default)]
pub(super) struct Beats(Mutex<VecDeque<Duration>>);

impl Beats {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Duration>> {
        // Each step leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn took(&self, time: Duration) {
        let mut last = self.lock();
        last.push_front(time);
        last.truncate(3);
    }

    fn quickest(&self) -> Duration {
        self.lock().iter().min().copied().unwrap_or_default()
    }
}

/// How long something took the last two times, and when the last was over.
pub(super) struct Pace {
    took: [Duration; 2],
    /// How long it must not take.
    short: Duration,
    over: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { took: [Duration::ZERO; 2], short: SHORT, over: monotonic_now() }
    }

    /// It was done, and took so long beyond what was well spent.
    pub(super) fn took(&mut self, time: Duration, beats: &Beats) {
        self.took = [self.took[1], time];
        self.short = SHORT.max(beats.quickest() * BEATS);
        self.over = monotonic_now();
    }

    /// It has taken long twice: once may be for any reason.
    pub(super) fn is_slow(&self) -> bool {
        self.took.iter().all(|took| *took > self.short)
    }

    /// How long it is until it may be done again.
    pub(super) fn wait(&self) -> Duration {
        if !self.is_slow() {
            return Duration::ZERO;
        }
        let took = self.took[0].min(self.took[1]);
        (took * TIMES).min(AT_MOST).saturating_sub(self.over.elapsed())
    }

    pub(super) fn may(&self) -> bool {
        self.wait().is_zero()
    }
}

// They go by paused time.
#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_slow_has_a_fifth_of_the_time() {
        let (mut pace, beats) = (Pace::new(), Beats::default());
        beats.took(MILLI);
        assert!(pace.may());
        pace.took(100 * MILLI, &beats);
        assert!(pace.may() && !pace.is_slow(), "it was once");
        pace.took(200 * MILLI, &beats);
        assert_eq!(pace.wait(), 400 * MILLI);
        tokio::time::advance(399 * MILLI).await;
        assert!(!pace.may());
        tokio::time::advance(MILLI).await;
        assert!(pace.may() && pace.is_slow());
        pace.took(SHORT, &beats);
        assert!(pace.may() && !pace.is_slow());
        (0..2).for_each(|_| pace.took(Duration::from_secs(60), &beats));
        assert_eq!(pace.wait(), AT_MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_takes_long_nothing_is_slow() {
        let (mut pace, beats) = (Pace::new(), Beats::default());
        [90, 50, 70].into_iter().for_each(|time| beats.took(time * MILLI));
        (0..2).for_each(|_| pace.took(200 * MILLI, &beats));
        assert!(pace.may());
        beats.took(20 * MILLI);
        (0..2).for_each(|_| pace.took(200 * MILLI, &beats));
        assert_eq!(pace.wait(), 800 * MILLI);
        // What was long ago does not count.
        (0..3).for_each(|_| beats.took(50 * MILLI));
        (0..2).for_each(|_| pace.took(200 * MILLI, &beats));
        assert!(pace.may());
    }
}
