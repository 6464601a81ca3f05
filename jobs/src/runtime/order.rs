//! A submission whose job, arguments and options are known, on its way to wherever its runs are kept.

use super::Jobs;
use super::accepted::Accepted;
use super::error::SubmitError;
use super::handle::RunHandle;
use super::submission::Submission;
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::options::{Origin, Unique};
use crate::pool::Closed;
use crate::scheduler::timers::Delay;
use crate::store::memory::{JobIx, RunOptions};

/// A run to be submitted.
pub(super) struct Order {
    pub(super) job: JobIx,
    /// With its arguments written down, where the store is to keep them.
    pub(super) body: Body,
    pub(super) origin: Origin,
    pub(super) options: RunOptions,
    /// What the submission says; the job says the rest.
    pub(super) unique: Option<Unique>,
    pub(super) delay: Option<Delay>,
    /// Who asked for it on the status page, where it is for a cluster.
    #[cfg(feature = "postgres")]
    pub(super) requested_by: Option<String>,
}

impl<J: 'static> Submission<J> {
    /// Everything that can be wrong with it is found here, and nothing is submitted yet.
    pub(super) fn order(self) -> Result<(Jobs, Order), SubmitError> {
        let jobs = self.jobs?;
        if let Some(delay) = self.delay {
            jobs.refuse_never(delay)?;
        }
        if jobs.is_shut_down() {
            return Err(SubmitError::shut_down());
        }
        let unique = self.options.unique();
        let options = self.options.resolve(&jobs)?;
        let who = (self.kind.who)(&self.job);
        let body = (self.kind.body)(self.job);
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        let body = jobs.written(who.name(), body)?;
        let job = jobs.register(&who)?;
        let origin = Origin::Submission;
        let delay = self.delay;
        let order = Order {
            job,
            body,
            origin,
            options,
            unique,
            delay,
            #[cfg(feature = "postgres")]
            requested_by: None,
        };
        Ok((jobs, order))
    }
}

impl Order {
    /// What of earlier submissions it is compared with.
    pub(super) fn unique(&self, jobs: &Jobs) -> Option<Unique> {
        self.unique.or_else(|| jobs.unique_of(self.job))
    }

    /// When the run may start; at once where nothing is said.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        self.delay.map(|delay| due(delay, now))
    }

    /// Hands it to the pool of this process. What is for a cluster is not handed over like this.
    pub(super) fn hand_over(self, jobs: &Jobs) -> Result<Accepted, SubmitError> {
        let unique = self.unique(jobs);
        let Self { job, body, origin, options, delay, .. } = self;
        let handle = match (unique, delay) {
            (Some(unique), delay) => jobs.clone().submit_one(job, unique, body, origin, options, delay),
            (None, Some(delay)) => {
                let at = due(delay, jobs.inner.clock.now().wall);
                let delayed = jobs.inner.pool.delay(job, body, options, at);
                delayed.map_err(|Closed| SubmitError::shut_down()).map(|(id, key)| {
                    jobs.inner.scheduler.delay(key, delay);
                    RunHandle { id, key: Some(key), jobs: jobs.clone(), duplicate: false }
                })
            }
            (None, None) => jobs.clone().submit_as(job, body, origin, options),
        };
        Ok(Accepted::here(handle?))
    }
}

fn due(delay: Delay, now: Timestamp) -> Timestamp {
    match delay {
        Delay::At(at) => at,
        Delay::For(by) => now.saturating_add(by),
    }
}
