//! What an attempt says about its own failure: when to try again, or not to.
//!
//! It is recorded beside the attempt and applied when that returns an error, whatever the error is by then: one that has
//! passed through `anyhow` or a `map_err` could not be recognised.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jobs_syntax::format_duration;
use serde::{Deserialize, Serialize};

use super::ambient;
use super::attempt::MESSAGE;
use super::signals::Turn;
use super::text::cut;

/// What is to follow when the attempt returns an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Steer {
    RetryIn(Duration),
    Discard(String),
}

impl Steer {
    pub(crate) fn discard(reason: String) -> Self {
        Self::Discard(cut(reason, MESSAGE))
    }
}

/// The last that an attempt has said, with its turn: what one says is not for the next.
#[derive(Debug, Default)]
pub(crate) struct Steering(Mutex<Option<(Turn, Steer)>>);

impl Steering {
    pub(crate) fn say(&self, turn: Turn, steer: Steer) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A task may outlive the attempt that has spawned it, and what it says then is for nobody.
        if said.as_ref().is_none_or(|(of, _)| *of <= turn) {
            *said = Some((turn, steer));
        }
    }

    /// What was said in this turn.
    pub(crate) fn take(&self, turn: Turn) -> Option<Steer> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        said.filter(|(of, _)| *of == turn).map(|(_, steer)| steer)
    }
}

/// Says that the run is to be tried again when `wait` has passed, should this attempt return an error: for a server that
/// tells how long it will be away.
///
/// It replaces the wait of the backoff for this one failure and gives no attempt away and none on top: after the last
/// retry the run has failed. Said again, or followed by [`discard`], the last word counts. When the attempt returns
/// `Ok`, panics or runs out of time, nothing comes of it.
///
/// What it gives is an error to end the job with, and need not be used. Inside a job with a context,
/// [`JobContext::retry_in`](crate::JobContext::retry_in) does the same; this one finds the attempt by itself, also
/// deep inside of what a job calls, but not in a task that it has spawned.
///
/// ```
/// # use std::time::Duration;
/// # use jobs::{BoxError, job};
/// # struct Reply { retry_after: Option<u64> }
/// # async fn post(_: u64) -> Result<Reply, BoxError> { Ok(Reply { retry_after: Some(120) }) }
/// #[job(retries = 8)]
/// async fn notify(order: u64) -> Result<(), BoxError> {
///     let reply = post(order).await?;
///     if let Some(seconds) = reply.retry_after {
///         Err(jobs::retry_in(Duration::from_secs(seconds)))?;
///     }
///     Ok(())
/// }
/// ```
pub fn retry_in(wait: Duration) -> Steered {
    ambient_steer("retry_in", Steer::RetryIn(wait))
}

/// Says that the run is to be given up with a reason, should this attempt return an error: it is not tried again, and
/// [`Outcome::Discarded`](crate::Outcome::Discarded) is what it came to. For work that no attempt will do, such as a mail
/// to an address that does not exist.
///
/// What it gives is an error to end the job with, and need not be used. Inside a job with a context,
/// [`JobContext::discard`](crate::JobContext::discard) does the same. Like [`retry_in`] otherwise.
///
/// ```
/// # use jobs::{BoxError, job};
/// # async fn address_of(_: u64) -> Option<String> { None }
/// #[job]
/// async fn remind(customer: u64) -> Result<(), BoxError> {
///     let Some(address) = address_of(customer).await else {
///         return Err(jobs::discard("the customer has left").into());
///     };
///     println!("mail to {address}");
///     Ok(())
/// }
/// ```
pub fn discard(reason: impl Into<String>) -> Steered {
    ambient_steer("discard", Steer::discard(reason.into()))
}

fn ambient_steer(function: &'static str, steer: Steer) -> Steered {
    let said = ambient::in_attempt(|attempt| {
        attempt.signals.steering.say(attempt.signals.turn(), steer.clone());
    });
    Steered(said.map_or(Kind::OutsideOfJob(function), |()| Kind::Said(steer)))
}

/// What [`retry_in`] and [`discard`] give: an error for the job to end with. What was said is recorded already, so any
/// other error does as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Said(Steer),
    OutsideOfJob(&'static str),
}

impl Steered {
    pub(crate) fn said(steer: Steer) -> Self {
        Self(Kind::Said(steer))
    }
}

impl fmt::Display for Steered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Said(Steer::RetryIn(wait)) if wait.is_zero() => f.write_str("to be tried again at once"),
            Kind::Said(Steer::RetryIn(wait)) => write!(f, "to be tried again in {}", format_duration(*wait)),
            Kind::Said(Steer::Discard(reason)) => write!(f, "discarded: {reason}"),
            Kind::OutsideOfJob(function) => write!(
                f,
                "`jobs::{function}` was called outside a job and does nothing; \
                 in a task that a job has spawned, call `{function}` of its `JobContext`"
            ),
        }
    }
}

impl std::error::Error for Steered {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::signals::Signals;

    #[test]
    fn a_word_is_for_one_turn_and_the_last_counts() {
        let signals = Signals::default();
        let first = signals.turn();
        signals.steering.say(first, Steer::RetryIn(Duration::ZERO));
        let last = Steer::Discard("no".into());
        signals.steering.say(first, last.clone());
        assert_eq!(signals.steering.take(first), Some(last.clone()));
        assert_eq!(signals.steering.take(first), None);
        signals.steering.say(first, last);
        let _ = signals.end_turn();
        assert_eq!(signals.steering.take(signals.turn()), None);
    }

    /// As that of a task which has outlived the attempt it was spawned by.
    #[test]
    fn a_late_word_does_not_replace_that_of_the_attempt_whose_turn_it_is() {
        let signals = Signals::default();
        let first = signals.turn();
        let _ = signals.end_turn();
        let (second, word) = (signals.turn(), Steer::Discard("no".into()));
        signals.steering.say(first, Steer::RetryIn(Duration::ZERO));
        signals.steering.say(second, word.clone());
        signals.steering.say(first, Steer::RetryIn(Duration::ZERO));
        assert_eq!(signals.steering.take(second), Some(word));
    }

    #[test]
    fn outside_a_job_the_error_says_so() {
        let error = retry_in(Duration::ZERO).to_string();
        assert!(error.starts_with("`jobs::retry_in` was called outside a job"), "{error}");
        let error = discard("no").to_string();
        assert!(error.starts_with("`jobs::discard` was called outside a job"), "{error}");
    }
}
