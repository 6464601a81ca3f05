//! What the last runs of a job have in common.

use std::time::Duration;

use crate::job::RunState;

/// Of how many runs, at most.
pub(super) const RUNS: usize = 100;

/// How many runs, how many of them failed, and how long those took that have started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) runs: usize,
    pub(super) failed: usize,
    /// In order.
    took: Vec<Duration>,
}

impl Figures {
    pub(super) fn of(ended: impl IntoIterator<Item = (RunState, Option<Duration>)>) -> Self {
        let mut figures = Self { runs: 0, failed: 0, took: Vec::new() };
        for (state, took) in ended {
            figures.runs += 1;
            figures.failed += usize::from(state == RunState::Dead);
            figures.took.extend(took);
        }
        figures.took.sort_unstable();
        figures
    }

    /// Rounded up, so that what happens at all is not nothing.
    pub(super) fn failed_percent(&self) -> usize {
        (self.failed * 100).div_ceil(self.runs.max(1))
    }

    /// The duration that so many per cent do not exceed; it is one that was seen.
    pub(super) fn took(&self, percent: usize) -> Option<Duration> {
        let rank = (self.took.len() * percent).div_ceil(100).max(1);
        self.took.get(rank - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let ended = (1..=10).rev().map(|seconds| (RunState::Succeeded, Some(Duration::from_secs(seconds))));
        let figures = Figures::of(ended.chain([(RunState::Dead, None), (RunState::Cancelled, None)]));
        let of = |percent| figures.took(percent).map(|took| took.as_secs());
        assert_eq!([of(0), of(50), of(95), of(100)], [Some(1), Some(5), Some(10), Some(10)]);
        assert_eq!((figures.runs, figures.failed, figures.failed_percent()), (12, 1, 9));
        assert_eq!(Figures::of([]).took(50), None);
        assert_eq!(Figures::of([]).failed_percent(), 0);
    }
}
