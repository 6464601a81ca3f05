//! What has become slow is done more rarely, so that it takes a part of the time and not all of it.
//!
//! An old transaction somewhere keeps the server from forgetting what was claimed, and whoever reads an index from its
//! beginning reads all of that.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::monotonic_now;

/// What takes less may be done at any time.
const SHORT: Duration = Duration::from_millis(10);

/// Between two of what takes longer lies so many times as long, and at most so much.
const TIMES: u32 = 4;
const AT_MOST: Duration = Duration::from_secs(3);

/// How long something took the last time, and when that was over.
pub(super) struct Pace {
    took: Duration,
    over: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { took: Duration::ZERO, over: monotonic_now() }
    }

    /// It was done, `since` then; so much of that time is `spared`, since it was well spent.
    pub(super) fn done(&mut self, since: Instant, spared: Duration) {
        self.over = monotonic_now();
        self.took = (self.over - since).saturating_sub(spared);
    }

    pub(super) fn is_slow(&self) -> bool {
        self.took > SHORT
    }

    /// How long it is until it may be done again.
    pub(super) fn wait(&self) -> Duration {
        if !self.is_slow() {
            return Duration::ZERO;
        }
        (self.took * TIMES).min(AT_MOST).saturating_sub(self.over.elapsed())
    }

    pub(super) fn may(&self) -> bool {
        self.wait() == Duration::ZERO
    }
}

// They go by paused time.
#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    async fn took(pace: &mut Pace, time: Duration, spared: Duration) {
        let since = monotonic_now();
        tokio::time::advance(time).await;
        pace.done(since, spared);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_slow_has_a_fifth_of_the_time() {
        let mut pace = Pace::new();
        assert!(pace.may());
        took(&mut pace, SHORT, Duration::ZERO).await;
        assert!(pace.may() && !pace.is_slow());
        took(&mut pace, Duration::from_millis(100), Duration::ZERO).await;
        assert_eq!(pace.wait(), Duration::from_millis(400));
        tokio::time::advance(Duration::from_millis(399)).await;
        assert!(!pace.may());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(pace.may() && pace.is_slow());
        took(&mut pace, Duration::from_secs(60), Duration::ZERO).await;
        assert_eq!(pace.wait(), AT_MOST);
        // What was well spent does not count.
        took(&mut pace, Duration::from_millis(100), Duration::from_millis(95)).await;
        assert!(pace.may() && !pace.is_slow());
    }
}
