//! What a running job knows about itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ambient::{self, Host};
use super::name::JobName;
use super::run::RunId;
use super::signals::{Signals, Turn};
use super::state::StateMap;
use super::steer::{Steer, Steered};
use crate::clock::Timestamp;
use crate::telemetry::panics;

/// What a running job knows about itself. A function with `#[job]` takes it as `cx: &JobContext`. A clone is of the
/// same attempt.
#[derive(Clone)]
pub struct JobContext {
    pub(crate) id: RunId,
    pub(crate) job: JobName,
    pub(crate) attempt: u32,
    pub(crate) slot: Option<Timestamp>,
    pub(crate) started: Timestamp,
    pub(crate) turn: Turn,
    pub(crate) surroundings: Arc<Surroundings>,
}

/// What all attempts of a worker share. Every worker has a copy of its own, so that the counts of references
/// are not fought over by all processors.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) host: Host,
    pub(crate) state: Arc<StateMap>,
    pub(crate) signals: Arc<Signals>,
    #[cfg(feature = "testing")]
    pub(crate) probe: Option<Arc<super::probe::Probe>>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("state", &self.state).finish_non_exhaustive()
    }
}

impl JobContext {
    /// The identity of the run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The name of the job.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// Which attempt of the run this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The nominal time of the slot the run is for; none when it was submitted.
    ///
    /// The run itself starts a little later, and much later after a wait in the pool: a job that works through
    /// "the hour that has just passed" takes its hour from here.
    #[must_use]
    pub fn slot(&self) -> Option<DateTime<Utc>> {
        self.slot.map(Timestamp::to_chrono)
    }

    /// When the attempt started.
    #[must_use]
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started.to_chrono()
    }

    /// Whether nobody wants the attempt any more: its run was cancelled, its time is up, or a shutdown waits no longer.
    /// Also when the attempt is over.
    ///
    /// An async job need not ask: it is dropped where it awaits. A plain `fn` cannot be stopped, and one that takes
    /// long asks now and then and returns. What it returns still counts when its run was cancelled, and not when its
    /// time was up.
    ///
    /// ```
    /// # use jobs::{JobContext, job};
    /// #[job]
    /// fn reindex(cx: &JobContext) -> Result<(), String> {
    ///     for shelf in 0..1000 {
    ///         if cx.is_cancelled() {
    ///             return Err(format!("stopped before shelf {shelf}"));
    ///         }
    ///         // …
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.surroundings.signals.is_stopped(self.turn)
    }

    /// Completes when [`is_cancelled`](Self::is_cancelled) begins to be true: for a plain `fn` that waits for a future,
    /// and for tasks that the job has spawned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting and nothing else.
    pub async fn cancelled(&self) {
        self.surroundings.signals.stopped(self.turn).await;
    }

    /// Says that the run is to be tried again when `wait` has passed, should this attempt return an error:
    /// [`jobs::retry_in`](crate::retry_in()), which has the rules, for this attempt.
    pub fn retry_in(&self, wait: Duration) -> Steered {
        self.steer(Steer::RetryIn(wait))
    }

    /// Says that the run is to be given up with a reason, should this attempt return an error:
    /// [`jobs::discard`](crate::discard()), which has the rules, for this attempt.
    pub fn discard(&self, reason: impl Into<String>) -> Steered {
        self.steer(Steer::discard(reason.into()))
    }

    fn steer(&self, steer: Steer) -> Steered {
        self.surroundings.signals.steering.say(self.turn, steer.clone());
        Steered::said(steer)
    }

    /// The value of type `T` that was given to [`Config::state`](crate::Config::state), if there is one.
    ///
    /// A parameter `#[state] x: &T` is checked at start; this is for jobs that implement [`Job`](crate::Job) by
    /// hand.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.surroundings.state.get::<T>()
    }

    /// The value behind a `#[state]` parameter.
    #[doc(hidden)]
    #[must_use]
    pub fn __state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.state().expect("invariant: start has checked the state of every job")
    }

    /// Runs `f` on a thread that may block, as a part of this run.
    #[doc(hidden)]
    pub async fn __blocking<R: Send + 'static>(self, f: impl FnOnce(&Self) -> R + Send + 'static) -> R {
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let host = self.surroundings.host.clone();
            let signals = Arc::clone(&self.surroundings.signals);
            let catch = || panics::catch(|| span.in_scope(|| f(&self)));
            ambient::sync_scope(host, || ambient::sync_attempt_scope(signals, catch))
        });
        match task.await {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => panic.resume(),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => std::panic::resume_unwind(payload),
                // The runtime is going away and has not started the function: the run ends with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("id", &self.id)
            .field("job", &self.job())
            .field("attempt", &self.attempt)
            .field("slot", &self.slot())
            .finish_non_exhaustive()
    }
}
