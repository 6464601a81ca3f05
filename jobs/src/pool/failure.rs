//! What there is to say and to do about an attempt that failed.

use std::time::Duration;

use crate::BoxError;
use crate::clock::Timestamp;
use crate::hooks::{self, AttemptHooks};
use crate::job::attempt::Trace;
use crate::job::name::JobName;
use crate::job::run::{Outcome, RunId};
use crate::telemetry::panics::Panic;
use crate::telemetry::{self, panics};

/// What there is to say and to do about an attempt that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) job: JobName,
    pub(super) id: RunId,
    pub(super) slot: Option<Timestamp>,
    pub(super) started: Timestamp,
    pub(super) attempt: u32,
    pub(super) of: u32,
    pub(super) what: What,
    /// What is kept of it, with what the job said is to follow.
    pub(super) trace: Option<Box<Trace>>,
}

/// What follows a failure.
pub(super) enum Follows {
    Retry(Duration),
    Discarded(String),
    Nothing,
}

impl Follows {
    /// As the program is told of it.
    fn told(&self, now: Timestamp) -> hooks::Follows {
        match self {
            Self::Retry(wait) => hooks::Follows::Retry { at: now.saturating_add(*wait).to_chrono() },
            Self::Discarded(reason) => hooks::Follows::Discarded { reason: reason.clone() },
            Self::Nothing => hooks::Follows::Dead,
        }
    }
}

/// How it failed.
#[derive(Debug)]
pub(super) enum What {
    /// The error itself only where somebody is to be told of it.
    Error(String, Option<BoxError>),
    Panic(Panic),
    TimedOut(Duration),
}

impl Failure {
    /// Writes the failure to the log.
    pub(super) fn log(&self, follows: &Follows) {
        let Self { job, id, attempt, of, what, .. } = self;
        let retry_in = if let Follows::Retry(wait) = follows { Some(*wait) } else { None };
        let attempt = telemetry::Attempt { job, run: id, attempt: *attempt, of: *of, retry_in };
        match what {
            What::Error(message, _) if matches!(follows, Follows::Discarded(_)) => {
                telemetry::discarded(&attempt, message)
            }
            What::Error(message, _) => telemetry::failed(&attempt, message),
            What::Panic(panic) => telemetry::panicked(&attempt, panic),
            What::TimedOut(after) => telemetry::timed_out(&attempt, *after),
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn count(&self, follows: &Follows, now: Timestamp) {
        hooks::metrics::failed(&self.job, &follows.told(now));
    }

    /// Tells the program of the failure.
    pub(super) fn report(self, hooks: &AttemptHooks, follows: &Follows, now: Timestamp) {
        let Self { job, id, slot, started, attempt, of, what, .. } = self;
        let (outcome, error, panic) = match what {
            What::Error(message, error) => (Outcome::Failed(message), error, None),
            What::Panic(panic) => (Outcome::Panicked(panic.message.clone()), None, Some(panic)),
            What::TimedOut(after) => (Outcome::TimedOut(after), None, None),
        };
        let follows = follows.told(now);
        let run = id;
        let failure = hooks::Failure {
            job,
            run,
            slot,
            attempt,
            of,
            started,
            failed: now,
            outcome,
            error,
            panic,
            follows,
        };
        for on_failure in hooks.on_failure.iter() {
            if let Err(panic) = panics::catch(|| on_failure(&failure)) {
                let _ = panics::catch(|| telemetry::hook_panicked("on_failure", &failure.job, &panic));
            }
        }
        // The error is a value of the user's.
        let _ = panics::catch(|| drop(failure));
    }
}
