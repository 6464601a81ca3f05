//! How the attempts of a job are made: what its attribute and the config say about timeouts and retries.

use std::time::Duration;

use jobs_syntax::Backoff;

/// Retries of a run that was submitted, where nothing is said.
pub(crate) const RETRIES_OF_SUBMISSIONS: u32 = 20;

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

    /// How often a failed run is tried again. The next slot is the retry of a slot; a submission has no other.
    pub(crate) fn retries(&self, from_slot: bool) -> u32 {
        self.retries.unwrap_or(if from_slot { 0 } else { RETRIES_OF_SUBMISSIONS })
    }

    pub(crate) fn backoff(&self) -> Backoff {
        self.backoff.unwrap_or(Backoff::DEFAULT)
    }
}
