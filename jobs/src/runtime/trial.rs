//! What a test does to an instance beyond what a program may.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::accepted::Accepted;
use super::error::SubmitError;
use super::handle::RunHandle;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use super::order::Order;
use super::submission::Submission;
use super::submit::{Submit, Who};
use super::{Jobs, Snapshot};
use crate::clock::{Clock, Timestamp};
use crate::job::ambient;
use crate::job::probe::{Noted, Probe};
use crate::job::run::RunId;
use crate::scheduler::timers::Delay;
use crate::store::memory::RunKey;
use crate::telemetry::panics;

/// A run that a test holds: it waits until it is let go.
#[derive(Debug)]
pub(super) struct Held {
    id: RunId,
    /// None of one that a server keeps, or that a transaction has submitted which is not over.
    key: Option<RunKey>,
    due: Timestamp,
}

/// When what is held comes due by itself.
const HELD: Delay = Delay::At(Timestamp::MAX);

/// What a run in isolation pretends to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preset {
    pub(crate) attempt: u32,
    pub(crate) slot: Option<Timestamp>,
}

/// The arguments of a job as a test compares them.
pub(super) fn args_of<J: Serialize>(job: &J) -> serde_json::Value {
    // Code of the user. What cannot be written down is not to fail the submission, which needs no such thing on memory.
    let written = panics::catch(|| serde_json::to_value(job).map_err(|error| error.to_string()));
    let written = written.unwrap_or_else(|panic| Err(panic.message));
    written.unwrap_or_else(|error| {
        serde_json::Value::String(format!("arguments that cannot be written: {error}"))
    })
}

impl<J: 'static> Submission<J> {
    /// What a test is to know of it, where one listens.
    pub(super) fn noted(&self) -> Option<Noting> {
        let jobs = self.jobs.as_ref().ok()?;
        let probe = jobs.probe()?;
        let job = match self.who() {
            Who::Typed { name, .. } => name.to_owned(),
            Who::Func(name) => name.to_string(),
        };
        let args = self.args();
        let submitted = jobs.inner.clock.now().wall;
        let due = match self.delay {
            None => submitted,
            Some(Delay::For(by)) => submitted.saturating_add(by),
            Some(Delay::At(at)) => at,
        };
        let holds = probe.holds();
        Some(Noting { probe, job, args, submitted, due, holds })
    }

    /// Submits, and lets the test know.
    pub(super) fn submit_noted(mut self) -> Result<Accepted, SubmitError> {
        let noting = self.noted();
        if noting.as_ref().is_some_and(|noting| noting.holds) {
            self.delay = Some(HELD);
        }
        let accepted = self.submit_unseen()?;
        Ok(match noting {
            Some(noting) => accepted.noted(noting),
            None => accepted,
        })
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl<J: 'static> super::SubmitMany<J> {
    /// The same of each; none where no test listens.
    pub(super) fn noted(&self) -> Vec<Noting> {
        self.submissions.iter().filter_map(Submission::noted).collect()
    }
}

/// A submission that a test is to know of when it has been made.
pub(super) struct Noting {
    probe: Arc<Probe>,
    job: String,
    args: serde_json::Value,
    submitted: Timestamp,
    due: Timestamp,
    holds: bool,
}

impl Noting {
    /// An order as it is where the test holds what is submitted.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn held(&self, order: Order) -> Order {
        if self.holds { Order { delay: Some(HELD), ..order } } else { order }
    }

    pub(super) fn submitted(self, handle: &RunHandle) {
        let Self { probe, job, args, submitted, due, holds } = self;
        if holds && !handle.is_duplicate() {
            handle.jobs.held(|held| held.push(Held { id: handle.id, key: handle.key, due }));
        }
        probe.note(Noted { job, args, id: handle.id(), submitted, due, duplicate: handle.is_duplicate() });
    }
}

impl Jobs {
    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn probe(&self) -> Option<Arc<Probe>> {
        self.inner.settings().trial.as_ref().map(|trial| Arc::clone(&trial.probe))
    }

    fn held<R>(&self, f: impl FnOnce(&mut Vec<Held>) -> R) -> R {
        f(&mut self.inner.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets go of the runs that are held: each starts when it was to, or at once where that has passed. Says how many.
    pub(crate) async fn let_go(&self) -> usize {
        let now = self.inner.clock.now().wall;
        let held = self.held(std::mem::take);
        #[cfg(feature = "sqlite")]
        if let Some(durable) =
            self.inner.durable.as_ref().filter(|_| held.iter().any(|held| held.key.is_none()))
        {
            durable.look_blocking();
        }
        let (mut ready, mut count) = (Vec::new(), 0);
        #[cfg(feature = "postgres")]
        let mut there = Vec::new();
        for held in held {
            let Some(key) = held.key.or_else(|| self.inner.pool.key_of(held.id)) else {
                // Of one whose transaction goes on; what was rolled back is nowhere.
                #[cfg(feature = "sqlite")]
                if self.inner.durable.as_ref().is_some_and(|durable| durable.arrives(held.id)) {
                    self.held(|all| all.push(held));
                    continue;
                }
                #[cfg(feature = "postgres")]
                there.push(held);
                continue;
            };
            count += 1;
            if held.due <= now {
                ready.push(key);
            } else {
                self.inner.scheduler.delay(key, Delay::At(held.due));
            }
        }
        self.inner.pool.release(&mut ready);
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get() {
            let released = cluster.release(there.iter().map(|held| (held.id, held.due)).collect()).await;
            count += released.len();
            // Of one whose transaction goes on, or was rolled back: the server knows nothing of either.
            there.retain(|held| !released.contains(&held.id));
            self.held(|all| all.append(&mut there));
        }
        count
    }

    /// Submits a run that pretends to be something else than a first attempt of a submission.
    pub(crate) fn submit_preset<J: Submit>(&self, job: J, preset: Preset) -> Result<RunHandle, SubmitError> {
        let held = Submission::held(self.clone(), job).submit_unseen()?.handle;
        if let Some(key) = held.key {
            self.inner.pool.preset(key, preset.attempt, preset.slot);
            self.inner.pool.release(&mut vec![key]);
        }
        Ok(held)
    }

    /// Nothing comes due any more: no slot, no delayed run, no retry.
    pub(crate) fn stop_firing(&self) {
        self.inner.scheduler.close();
        if let Some(task) = self.inner.scheduler_task.get() {
            task.abort();
        }
    }

    /// The code of the test on this thread means this instance.
    pub(crate) fn enter_test(&self) {
        ambient::enter_test(self.host());
    }

    pub(crate) fn leave_test(&self) {
        ambient::leave_test(&self.host());
    }

    /// The name of the job of this name or alias, linked or not.
    pub(crate) fn known_name(&self, job: &str) -> Option<String> {
        let ix = self.find_job(job).ok()?;
        Some(self.inner.pool.read(|memory| memory.job(ix).info.name.to_string()))
    }

    /// How long a run waits from the end of its last attempt until it is tried again; none where it does not.
    pub(crate) fn waits_for(&self, run: &RunHandle) -> Option<Duration> {
        let due = self.inner.pool.read(|memory| memory.due(run.key?))?.0;
        let ended = run.attempts().last()?.finished_at;
        Some(due.since(Timestamp::from_chrono(ended)))
    }

    /// What every job is doing, in the whole cluster where there is one. It blocks its thread.
    pub(crate) fn whole_snapshot(&self) -> Snapshot {
        #[cfg_attr(not(feature = "postgres"), allow(unused_mut, reason = "a server knows more"))]
        let mut snapshot = self.snapshot();
        #[cfg(feature = "postgres")]
        if let Some(whole) = super::cluster::block_on(super::cluster::whole::Whole::of(self)) {
            for job in &mut snapshot.jobs {
                if let Ok(ix) = self.find_job(&job.name) {
                    whole.widen_in_full(ix, job);
                }
            }
            whole.widen_queues(&mut snapshot.queues);
            snapshot.pool.queued = whole.workload().queued;
        }
        snapshot
    }

    /// Lets a process of a cluster look for what nobody has told, as it does each second on the server's time.
    pub(crate) fn look_around(&self) {
        #[cfg(feature = "postgres")]
        if let Some(node) = self.inner.cluster.get().and_then(|cluster| cluster.node()) {
            node.wake();
        }
    }

    /// Whether nothing is queued and nothing runs, here or anywhere in the cluster.
    pub(crate) async fn is_at_rest(&self) -> bool {
        let gauge = self.inner.pool.gauge();
        let is_here = gauge.running + gauge.queued > 0;
        #[cfg(feature = "postgres")]
        if let (false, Some(cluster)) = (is_here, self.inner.cluster.get()) {
            return cluster.is_at_rest().await;
        }
        !is_here
    }
}
