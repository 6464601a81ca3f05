//! How many runs a node claims beyond the places that it has.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::monotonic_now;

/// For how much time runs are claimed ahead, and how many at most.
const AHEAD: Duration = Duration::from_millis(50);
const MOST_AHEAD: usize = 2000;

/// Over what time at least it is measured how many are executed.
const MEASURED: Duration = Duration::from_millis(5);

/// How often it is looked whether what waits is going to be executed soon.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// How many runs are claimed beyond the places that there are.
pub(super) struct Ahead {
    pub(super) count: usize,
    /// When it was measured last, and how many had ended by then.
    measured: (Instant, u64),
    /// When it was last looked whether the runs that wait begin, and how many had ended by then.
    looked: (Instant, u64),
}

impl Ahead {
    pub(super) fn new() -> Self {
        let now = monotonic_now();
        Self { count: 0, measured: (now, 0), looked: (now, 0) }
    }

    /// So many attempts have ended in all.
    pub(super) fn measure(&mut self, ended: u64) {
        let (since, before) = self.measured;
        let took = since.elapsed();
        if took < MEASURED {
            return;
        }
        let soon = (ended - before) as f64 * (AHEAD.as_secs_f64() / took.as_secs_f64());
        // A moment in which nothing has ended does not say much.
        self.count = (soon as usize).max(self.count / 2).min(MOST_AHEAD);
        self.measured = (since + took, ended);
    }

    /// Whether so many that wait for a place are not going to get one soon, by how many have got one since it was looked last.
    pub(super) fn is_too_much(&mut self, waiting: usize, ended: u64) -> bool {
        let (since, before) = self.looked;
        if waiting > 0 && since.elapsed() < PATIENCE {
            return false;
        }
        self.looked = (monotonic_now(), ended);
        let too_much = waiting as u64 > 2 * (ended - before);
        if too_much {
            self.count = 0;
        }
        too_much
    }
}

// They go by paused time.
#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    async fn pass(time: Duration) {
        tokio::time::advance(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_are_claimed_ahead_as_end_in_the_next_moments() {
        let mut ahead = Ahead::new();
        pass(Duration::from_millis(100)).await;
        ahead.measure(200);
        assert_eq!(ahead.count, 100);
        // Too short a time says nothing.
        pass(Duration::from_millis(1)).await;
        ahead.measure(10_000);
        assert_eq!(ahead.count, 100);
        pass(Duration::from_millis(99)).await;
        ahead.measure(1_000_000);
        assert_eq!(ahead.count, MOST_AHEAD);
        // And when nothing ends any more, it is less and less.
        let mut counts = Vec::new();
        while ahead.count > 0 {
            pass(MEASURED).await;
            ahead.measure(1_000_000);
            counts.push(ahead.count);
        }
        assert_eq!(counts, [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_too_much_when_it_does_not_begin_soon() {
        let mut ahead = Ahead::new();
        pass(Duration::from_secs(3600)).await;
        assert!(!ahead.is_too_much(0, 0));
        assert!(!ahead.is_too_much(100, 0), "it was claimed at this moment");
        pass(PATIENCE).await;
        assert!(!ahead.is_too_much(100, 50), "half of it has begun");
        pass(PATIENCE).await;
        assert!(ahead.is_too_much(100, 60));
        assert_eq!(ahead.count, 0);
    }
}
