//! What a test does to an instance beyond what a program may.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::Jobs;
use super::error::SubmitError;
use super::handle::RunHandle;
use super::submission::Submission;
use super::submit::{Submit, Who};
use crate::clock::Timestamp;
use crate::job::ambient;
use crate::job::probe::{Noted, Probe};
use crate::scheduler::timers::Delay;
use crate::store::memory::RunKey;
use crate::telemetry::panics;

/// A run that a test holds: it waits until it is let go.
#[derive(Debug)]
pub(super) struct Held {
    key: RunKey,
    due: Timestamp,
}

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
        Some(Noting { probe, job, args, submitted, due })
    }

    /// Submits, and lets the test know.
    pub(super) fn submit_noted(mut self, probe: &Probe) -> Result<RunHandle, SubmitError> {
        let jobs = self.jobs.clone()?;
        let noting = self.noted();
        let due = noting.as_ref().map_or(Timestamp::MAX, |noting| noting.due);
        let holds = probe.holds();
        if holds {
            self.delay = Some(Delay::At(Timestamp::MAX));
        }
        let handle = self.submit_unseen()?.handle;
        if holds && !handle.is_duplicate() {
            jobs.held(|held| held.extend(handle.key.map(|key| Held { key, due })));
        }
        if let Some(noting) = noting {
            noting.submitted(&handle);
        }
        Ok(handle)
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
}

impl Noting {
    pub(super) fn submitted(self, handle: &RunHandle) {
        let Self { probe, job, args, submitted, due } = self;
        probe.note(Noted { job, args, id: handle.id(), submitted, due, duplicate: handle.is_duplicate() });
    }
}

impl Jobs {
    pub(crate) fn probe(&self) -> Option<Arc<Probe>> {
        self.inner.settings().trial.as_ref().map(|trial| Arc::clone(&trial.probe))
    }

    fn held<R>(&self, f: impl FnOnce(&mut Vec<Held>) -> R) -> R {
        f(&mut self.inner.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets go of the runs that are held: each starts when it was to, or at once where that has passed. Says how many.
    pub(crate) fn let_go(&self) -> usize {
        let now = self.inner.clock.now().wall;
        let held = self.held(std::mem::take);
        let count = held.len();
        let (mut ready, later): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| held.due <= now);
        let mut ready: Vec<_> = ready.drain(..).map(|held| held.key).collect();
        self.inner.pool.release(&mut ready);
        for Held { key, due } in later {
            self.inner.scheduler.delay(key, Delay::At(due));
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

    /// Whether nothing is queued and nothing runs.
    pub(crate) fn is_at_rest(&self) -> bool {
        let gauge = self.inner.pool.gauge();
        gauge.running == 0 && gauge.queued == 0
    }
}
