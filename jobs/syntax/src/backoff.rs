use std::fmt;
use std::time::Duration;

use crate::format_duration;

/// How long a run waits before it is tried again: from the first wait up to the longest, doubling each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// What holds where nothing is said: `1s..1h`.
    pub const DEFAULT: Self = Self::new(Duration::from_secs(1), Duration::from_secs(3600));

    /// A backoff between two durations; the longest is never below the first.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        let longest = if longest.as_nanos() < first.as_nanos() { first } else { longest };
        Self { first, longest }
    }

    /// The wait after the first failure.
    #[must_use]
    pub const fn first(self) -> Duration {
        self.first
    }

    /// The wait that no other exceeds, but for the jitter.
    #[must_use]
    pub const fn longest(self) -> Duration {
        self.longest
    }
}

/// `1s..10m`.
impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", format_duration(self.first), format_duration(self.longest))
    }
}
