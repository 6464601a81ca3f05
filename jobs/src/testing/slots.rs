//! What became of slots.

use std::fmt::Write as _;

use super::TestJobs;
use crate::{Fate, Tally};

impl TestJobs {
    /// How many slots of a job's schedules ran, were skipped, were missed and so on, since the start. Which, and why, is
    /// told by [`Jobs::ledger`](crate::Jobs::ledger).
    ///
    /// # Panics
    ///
    /// When no job has this name.
    #[must_use]
    #[track_caller]
    pub fn slots(&self, job: &str) -> Tally {
        self.assert_known(job);
        self.ledger(job).map(|ledger| ledger.tally()).unwrap_or_default()
    }

    /// Checks that so many slots of a job's schedules have made a run since the start, at their time or afterwards.
    ///
    /// # Panics
    ///
    /// When it were not so many, with the ledger of the job, and why it has not run.
    #[track_caller]
    pub fn assert_ran(&self, job: &str, count: u64) {
        let tally = self.slots(job);
        let ran = tally.ran.saturating_add(tally.caught_up);
        assert!(ran == count, "`{job}`: {ran} slots ran, not {count}{}", self.told(job));
    }

    /// Checks that so many slots of a job's schedules have had this fate since the start. Those that a clock change has
    /// [shifted](Fate::Shifted) are counted from what the ledger keeps.
    ///
    /// # Panics
    ///
    /// When it were not so many, with the ledger of the job.
    #[track_caller]
    pub fn assert_slots(&self, job: &str, fate: Fate, count: u64) {
        let tally = self.slots(job);
        let found = match fate {
            Fate::Ran => tally.ran,
            Fate::CaughtUp => tally.caught_up,
            Fate::Skipped => tally.skipped,
            Fate::Missed => tally.missed,
            Fate::Paused => tally.paused,
            Fate::ShutDown => tally.shut_down,
            Fate::Shifted => {
                let entries = self.ledger(job).map(|ledger| ledger.entries()).unwrap_or_default();
                entries.iter().filter(|entry| entry.fate == fate).map(|entry| entry.count).sum()
            }
        };
        assert!(found == count, "`{job}`: {found} slots {}, not {count}{}", fate.as_str(), self.told(job));
    }

    /// The last entries of a job's ledger, and its explanation.
    fn told(&self, job: &str) -> String {
        const LAST: usize = 20;
        let entries = self.ledger(job).map(|ledger| ledger.entries()).unwrap_or_default();
        let mut text = String::new();
        let left_out = entries.len().saturating_sub(LAST);
        if left_out > 0 {
            let _ = write!(text, "\n  {left_out} entries before, and");
        }
        for entry in entries.iter().skip(left_out) {
            let _ = write!(text, "\n  {entry}");
        }
        if entries.is_empty() {
            text.push_str("\n  no slot has come");
        }
        if let Ok(explanation) = self.explain(job) {
            let _ = write!(text, "\n{explanation}");
        }
        text
    }
}
