//! One try of a run, when it is over, and what it leaves behind.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::run::Outcome;
use super::steer::Steer;
use super::text::cut;
use crate::clock::Timestamp;

/// One try of a run, when it is over: from [`RunHandle::attempts`](crate::RunHandle::attempts).
///
/// What it tells is bounded: a message and a chain have 8 KiB each at most, a backtrace 16 KiB, and a text that was longer
/// says so at its end. Of a run with more than 64 KiB of them in all, the oldest backtraces go first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Which attempt of its run it was, from 1.
    pub number: u32,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// What it came to. The run goes on after one that failed, as long as it has retries left.
    pub outcome: Outcome,
    /// The error that it returned and the sources of that, each with its own text, the outermost first; empty when it
    /// returned none.
    pub chain: Vec<String>,
    /// Where it panicked, `file:line:column`.
    pub location: Option<String>,
    /// The backtrace of its panic.
    pub backtrace: Option<String>,
    /// When it wanted the run to be tried again: it called [`retry_in`](crate::retry_in()) and returned an error.
    pub retry_in: Option<Duration>,
    /// Why it gave the run up: it called [`discard`](crate::discard()) and returned an error.
    pub discarded: Option<String>,
}

/// Bytes of a message, and of a chain.
pub(crate) const MESSAGE: usize = 8 << 10;
const BACKTRACE: usize = 16 << 10;

/// What an attempt that failed leaves behind beside its outcome.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Trace {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) chain: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backtrace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<Steer>,
}

impl Trace {
    /// The errors of a chain, as many as fit.
    pub(crate) fn of_errors(errors: Vec<String>) -> Self {
        let mut left = MESSAGE;
        let mut chain = Vec::new();
        for error in errors {
            if left < 100 {
                break;
            }
            let error = cut(error, left);
            left -= error.len();
            chain.push(error);
        }
        Self { chain, ..Self::default() }
    }

    pub(crate) fn of_panic(location: Option<String>, backtrace: Option<String>) -> Self {
        let backtrace = backtrace.map(|backtrace| cut(backtrace, BACKTRACE));
        Self { location, backtrace, ..Self::default() }
    }

    fn text(&self) -> usize {
        let chain = self.chain.iter().map(String::len).sum::<usize>();
        let said = if let Some(Steer::Discard(reason)) = &self.said { reason.len() } else { 0 };
        chain + said + self.backtrace.as_ref().map_or(0, String::len)
    }
}

/// An [`Attempt`] as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AttemptRecord {
    pub(crate) number: u32,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    #[serde(with = "super::run::written_outcome")]
    pub(crate) outcome: Outcome,
    pub(crate) trace: Option<Box<Trace>>,
}

impl AttemptRecord {
    /// How many bytes of text are in it.
    pub(crate) fn text(&self) -> usize {
        self.outcome.message().map_or(0, str::len) + self.trace.as_ref().map_or(0, |trace| trace.text())
    }

    /// Lets go of the largest text. Answers whether there was one.
    pub(crate) fn forget_backtrace(&mut self) -> bool {
        self.trace.as_mut().is_some_and(|trace| trace.backtrace.take().is_some())
    }
}

impl From<&AttemptRecord> for Attempt {
    fn from(record: &AttemptRecord) -> Self {
        let trace = record.trace.as_deref().cloned().unwrap_or_default();
        let (retry_in, discarded) = match trace.said {
            Some(Steer::RetryIn(wait)) => (Some(wait), None),
            Some(Steer::Discard(reason)) => (None, Some(reason)),
            None => (None, None),
        };
        Self {
            number: record.number,
            started_at: record.started.to_chrono(),
            finished_at: record.finished.to_chrono(),
            outcome: record.outcome.clone(),
            chain: trace.chain,
            location: trace.location,
            backtrace: trace.backtrace,
            retry_in,
            discarded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_bounded_as_a_whole() {
        let errors = vec!["x".repeat(MESSAGE - 200), "y".repeat(1000), "never".into()];
        let trace = Trace::of_errors(errors);
        assert_eq!((trace.chain.len(), trace.text()), (2, MESSAGE));
        assert!(trace.chain[1].ends_with("yyy… (cut: it had 1000 bytes)"));
    }
}
