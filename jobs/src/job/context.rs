//! What a running job knows about itself.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ambient::{self, Host};
use super::name::JobName;
use super::run::RunId;
use super::state::StateMap;
use crate::clock::Timestamp;
use crate::telemetry::panics;

/// What a running job knows about itself. A function with `#[job]` takes it as `cx: &JobContext`.
pub struct JobContext {
    pub(crate) id: RunId,
    pub(crate) job: JobName,
    pub(crate) attempt: u32,
    pub(crate) slot: Option<Timestamp>,
    pub(crate) started: Timestamp,
    pub(crate) surroundings: Arc<Surroundings>,
}

/// What all runs of an instance share. Every worker has a copy of its own, so that the counts of references
/// are not fought over by all processors.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) host: Host,
    pub(crate) state: Arc<StateMap>,
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
        let task = tokio::task::spawn_blocking(move || {
            let host = self.surroundings.host.clone();
            ambient::sync_scope(host, || panics::catch(|| f(&self)))
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
