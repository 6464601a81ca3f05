//! What an error tracker is told.

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt;

use chrono::{DateTime, Utc};

use super::event::Follows;
use crate::BoxError;
use crate::clock::Timestamp;
use crate::job::name::JobName;
use crate::job::run::{Outcome, RunId};
use crate::telemetry::panics::Panic;

/// An attempt that failed, as [`Config::on_failure`](crate::Config::on_failure) is told of it. `Display` writes a line.
#[derive(Debug)]
pub struct Failure {
    pub(crate) job: JobName,
    pub(crate) run: RunId,
    pub(crate) slot: Option<Timestamp>,
    pub(crate) attempt: u32,
    pub(crate) of: u32,
    pub(crate) started: Timestamp,
    pub(crate) failed: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<BoxError>,
    pub(crate) panic: Option<Panic>,
    pub(crate) follows: Follows,
}

impl Failure {
    /// The name of the job.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The identity of the run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The nominal time of the slot that the run is for; none when it was submitted.
    #[must_use]
    pub fn slot(&self) -> Option<DateTime<Utc>> {
        self.slot.map(Timestamp::to_chrono)
    }

    /// Which attempt of the run it was, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How many attempts the run may have.
    #[must_use]
    pub fn of(&self) -> u32 {
        self.of
    }

    /// When the attempt started.
    #[must_use]
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started.to_chrono()
    }

    /// When it failed.
    #[must_use]
    pub fn failed_at(&self) -> DateTime<Utc> {
        self.failed.to_chrono()
    }

    /// What it came to: an error, a panic, or out of time. [`Outcome::message`] has the texts of an error and of its
    /// sources in one.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The error that the job, or a middleware, has returned, with its sources; none of a panic and a timeout. It is the
    /// error itself, so that it can be found by its type: `failure.error()?.downcast_ref::<MailError>()`.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.error.as_deref()
    }

    /// Where it panicked: `src/mail.rs:12:5`.
    #[must_use]
    pub fn panic_location(&self) -> Option<&str> {
        self.panic.as_ref()?.location.as_deref()
    }

    /// The backtrace of its panic. It is taken whatever `RUST_BACKTRACE` says.
    #[must_use]
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.panic.as_ref()?.backtrace.as_ref()
    }

    /// What follows: another attempt, or nothing.
    #[must_use]
    pub fn follows(&self) -> &Follows {
        &self.follows
    }
}

/// `attempt 1 of 6 of send failed: no route to host; tried again at 2026-03-02 12:00:01 UTC`.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, attempt, of, outcome, follows, .. } = self;
        write!(f, "attempt {attempt} of {of} of {job} {outcome}; {follows}")
    }
}

/// A function that is told of every failure.
pub(crate) type OnFailure = dyn Fn(&Failure) + Send + Sync;
