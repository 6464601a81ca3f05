//! What is remembered of runs that have ended: which, how long, and where the next to be forgotten stands.
//!
//! A run stays in its place when it ends, so that whoever has its key finds it. What ends with it is the list below:
//! one for each job, in the order in which its runs have ended, from which the oldest go when there are too many, when
//! they are too old, or when what they have to tell takes too much room.

use std::collections::VecDeque;
use std::time::Duration;

use super::RunKey;
use crate::clock::Timestamp;

/// How long runs are kept after their end. The last run of a job is kept however old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) age: Duration,
    /// For each job.
    pub(crate) count: usize,
}

impl Default for Retention {
    /// A week, and ten thousand runs of each job.
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 86_400), count: 10_000 }
    }
}

/// Of how many runs that succeeded, the last of a job, the arguments are kept. Of those that did not they are as long as
/// the run.
pub(super) const WITH_ARGUMENTS: usize = 100;

/// What the messages and backtraces of the kept runs of one job may take, in bytes.
pub(super) const TEXT_OF_JOB: usize = 16 << 20;

/// The same over all jobs. A job that adds to more than that gives up its own oldest.
pub(super) const TEXT_OF_ALL: usize = 256 << 20;

/// The runs of a job that have ended, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// With their ends, so that asking for its age does not touch a run.
    runs: VecDeque<(RunKey, Timestamp)>,
    text: usize,
    /// Its job is among those whose first run is looked at when it is old.
    pub(super) watched: bool,
}

impl Ring {
    /// Appends a run that has just ended, with so many bytes of text.
    pub(super) fn push(&mut self, key: RunKey, finished: Timestamp, text: usize) {
        self.runs.push_back((key, finished));
        self.text += text;
    }

    /// The end of its first run, where that is to be looked at and is not yet.
    #[inline]
    pub(super) fn watch_first(&mut self) -> Option<Timestamp> {
        if self.watched || self.runs.len() < 2 {
            return None;
        }
        self.watched = true;
        self.runs.front().map(|(_, finished)| *finished)
    }

    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = RunKey> {
        self.runs.iter().map(|(key, _)| *key)
    }

    /// The run that ended so many before the last.
    pub(super) fn before_last(&self, count: usize) -> Option<RunKey> {
        let at = self.runs.len().checked_sub(count + 1)?;
        self.runs.get(at).map(|(key, _)| *key)
    }

    /// The oldest run, where it is not to be kept any more.
    #[inline]
    pub(super) fn outdated(&self, retention: &Retention, crowded: bool, now: Timestamp) -> Option<RunKey> {
        let (key, finished) = *self.runs.front()?;
        let count = self.runs.len();
        let too_old = || finished.is_past(retention.age, now);
        let outdated = count > retention.count.max(1)
            || count > 1 && (too_old() || self.text > TEXT_OF_JOB || crowded && self.text > 0);
        outdated.then_some(key)
    }

    /// Takes out the oldest run, which has so many bytes of text.
    pub(super) fn pop(&mut self, text: usize) {
        self.runs.pop_front();
        self.text -= text;
    }
}
