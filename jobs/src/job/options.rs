//! How the attempts of a job are made: what its attribute and the config say about timeouts and retries.

use std::time::Duration;

use jobs_syntax::Backoff;

/// Retries of a run that was submitted, where nothing is said.
pub(crate) const RETRIES_OF_SUBMISSIONS: u32 = 20;

/// What made a run, which decides how often it is tried where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A slot of a schedule, whose next slot is the retry.
    Slot,
    /// A submission, which has no other chance.
    Submission,
    /// A start-up job that `start` waits for: its error is to be told, not to be waited out.
    BlockingStart,
}

/// What is said about the attempts of a job, each thing only where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "for generated code, behind `__private`")]
pub struct AttemptOptions {
    pub timeout: Option<Duration>,
    pub retries: Option<u32>,
    pub backoff: Option<Backoff>,
}

impl AttemptOptions {
    /// Nothing is said.
    pub const DEFAULT: Self = Self { timeout: None, retries: None, backoff: None };

    /// How often a run that fails is tried again.
    pub(crate) fn retries(&self, origin: Origin) -> u32 {
        self.retries.unwrap_or(match origin {
            Origin::Slot | Origin::BlockingStart => 0,
            Origin::Submission => RETRIES_OF_SUBMISSIONS,
        })
    }

    pub(crate) fn backoff(&self) -> Backoff {
        self.backoff.unwrap_or(Backoff::DEFAULT)
    }
}
