//! What is remembered of runs: the attempts that failed, and what those came to that have ended.

use std::collections::VecDeque;

use super::RunKey;
use crate::clock::Timestamp;
use crate::job::run::{AttemptRecord, Outcome};

/// Of how many runs the outcome is kept after their end, over all jobs.
pub(super) const KEPT: usize = 10_000;

/// Of how many attempts of a run the account is kept: the last.
pub(super) const KEPT_ATTEMPTS: usize = 100;

/// The attempts of a run that did not succeed; of most runs there is none.
#[derive(Debug, Default)]
pub(super) struct Failures(
    #[expect(clippy::box_collection, reason = "8 bytes, not 24, for what is rare")]
    Option<Box<Vec<AttemptRecord>>>,
);

impl Failures {
    pub(super) fn add(&mut self, record: AttemptRecord) {
        let records = self.0.get_or_insert_default();
        if records.len() == KEPT_ATTEMPTS {
            records.remove(0);
        }
        records.push(record);
    }

    pub(super) fn all(&self) -> &[AttemptRecord] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// What is kept of a run that has ended.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) key: RunKey,
    pub(super) outcome: Outcome,
    pub(super) failures: Failures,
    /// Number, start and end of the attempt that succeeded.
    pub(super) success: Option<(u32, Timestamp, Timestamp)>,
}

impl Kept {
    /// The attempts of the run, the oldest first.
    pub(super) fn attempts(&self) -> Vec<AttemptRecord> {
        let success = self.success.map(|(number, started, finished)| AttemptRecord {
            number,
            started,
            finished,
            outcome: Outcome::Succeeded,
        });
        self.failures.all().iter().cloned().chain(success).collect()
    }
}

/// The runs that ended last, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Kept>);

impl History {
    /// Keeps what a run came to, and forgets the oldest of too many.
    pub(super) fn add(&mut self, kept: Kept) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(kept);
    }

    pub(super) fn get(&self, key: RunKey) -> Option<&Kept> {
        // Most ask soon after the end.
        self.0.iter().rev().find(|kept| kept.key == key)
    }
}
