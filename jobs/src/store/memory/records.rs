//! What is told of runs to those who look at them.

#[cfg(feature = "web")]
use std::time::Duration;

use super::{JobIx, Memory, Run, RunKey, State};
use crate::clock::Timestamp;
use crate::job::attempt::Attempt;
use crate::job::body::Reader;
use crate::job::options::Origin;
use crate::job::output::Output;
use crate::job::run::{Outcome, RunId};
use crate::job::snapshot::{MadeBy, RunSnapshot, RunState};
use crate::store::slab::Key;

/// At how many runs is looked under one lock.
const AT_A_TIME: usize = 512;

/// Which runs are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) job: Option<JobIx>,
    /// Any of them; all where there is none.
    pub(crate) states: Vec<RunState>,
    /// Whether it has ended; either where nothing is said.
    pub(crate) is_final: Option<bool>,
    pub(crate) queue: Option<String>,
    /// When it was made: from the first instant to before the second.
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

/// A run and a way to read its arguments, which is not to be done under the lock.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) key: RunKey,
    pub(crate) job: JobIx,
    pub(crate) run: RunSnapshot,
    pub(crate) reader: Option<Reader>,
    /// The schedule that made it.
    pub(crate) schedule: Option<Key>,
}

impl Run {
    fn run_state(&self) -> RunState {
        match self.state {
            State::Scheduled { .. } => RunState::Scheduled,
            State::Waiting => RunState::Waiting,
            State::Available { .. } => RunState::Available,
            State::Running { .. } => RunState::Running,
            State::Ended { .. } => RunState::of(&self.details.outcome()),
        }
    }
}

impl Memory {
    /// The key of a run, live or kept.
    pub(crate) fn key_of(&self, id: RunId) -> Option<RunKey> {
        self.by_id.get(id).filter(|key| self.runs.get(*key).is_some_and(|run| run.id == id))
    }

    /// Looks at some runs before one, or at the last, the youngest first, and answers at most so many that are wanted and
    /// where to go on.
    pub(crate) fn look_through(
        &mut self,
        filter: &Filter,
        before: Option<RunId>,
        most: usize,
    ) -> (Vec<Found>, Option<RunId>) {
        let (keys, next) = self.by_id.before(before, AT_A_TIME);
        let mut found = Vec::new();
        for key in keys {
            if found.len() == most {
                let last = found.last().map(|last: &Found| last.run.id);
                return (found, last);
            }
            if self.is_wanted(key, filter) {
                found.extend(self.found(key));
            }
        }
        // Before that all were made earlier.
        let is_over = filter.from.is_some_and(|from| next.is_some_and(|next| next.made_at() < from));
        (found, next.filter(|_| !is_over))
    }

    /// The runs of a job that have ended and are kept, and how many are live.
    pub(crate) fn ended_of(&self, job: JobIx) -> (Vec<RunKey>, usize) {
        let job = self.job(job);
        let keys = job.ended.as_ref().map_or_else(Vec::new, |ring| ring.keys().collect());
        let live = job.running + job.available + job.scheduled;
        (keys, live as usize + job.waiting())
    }

    /// The live runs of a job among some runs before one, or the last, and where to go on.
    pub(crate) fn live_among(&self, job: JobIx, before: Option<RunId>) -> (Vec<RunKey>, Option<RunId>) {
        let (mut keys, next) = self.by_id.before(before, AT_A_TIME);
        keys.retain(|key| self.runs.get(*key).is_some_and(|run| run.job == job && run.is_live()));
        (keys, next)
    }

    /// Says of a run who asked for it on the status page.
    #[cfg(feature = "web")]
    pub(crate) fn set_requested_by(&mut self, key: RunKey, who: &str) {
        if let Some(run) = self.runs.get_mut(key) {
            run.details.set_requested_by(who.into());
            self.mark(key);
        }
    }

    /// What the last runs of a job that have ended and are kept came to, and how long each took if it has started; the
    /// last first.
    #[cfg(feature = "web")]
    pub(crate) fn last_ended(&self, job: JobIx, count: usize) -> Vec<(RunState, Option<Duration>)> {
        let ring = self.job(job).ended.as_ref();
        let keys = ring.into_iter().flat_map(|ring| ring.keys().rev()).take(count);
        let told = |run: &Run| match run.state {
            State::Ended { started, finished } if run.attempt > 0 => {
                (run.run_state(), Some(finished.since(started)))
            }
            _ => (run.run_state(), None),
        };
        keys.filter_map(|key| self.runs.get(key).map(told)).collect()
    }

    /// The job of a run, and the name of the queue that it is in.
    #[cfg(all(feature = "postgres", feature = "web"))]
    pub(crate) fn place_of(&self, key: RunKey) -> Option<(JobIx, String)> {
        self.runs.get(key).map(|run| (run.job, self.queues.name(run.lane.queue()).to_string()))
    }

    pub(crate) fn id_of(&self, key: RunKey) -> Option<RunId> {
        self.runs.get(key).map(|run| run.id)
    }

    /// At most so many of the next of some runs that are wanted.
    pub(crate) fn look_at(
        &mut self,
        filter: &Filter,
        keys: &mut impl Iterator<Item = RunKey>,
        most: usize,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        for key in keys.take(AT_A_TIME) {
            if self.is_wanted(key, filter) {
                found.extend(self.found(key));
            }
            if found.len() == most {
                break;
            }
        }
        found
    }

    fn is_wanted(&self, key: RunKey, filter: &Filter) -> bool {
        let Some(run) = self.runs.get(key) else { return false };
        let at = run.id.made_at();
        filter.job.is_none_or(|job| job == run.job)
            && (filter.states.is_empty() || filter.states.contains(&run.run_state()))
            && filter.is_final.is_none_or(|is_final| is_final != run.is_live())
            && filter.from.is_none_or(|from| from <= at)
            && filter.to.is_none_or(|to| at < to)
            && filter.queue.as_ref().is_none_or(|queue| self.queues.find(queue) == Some(run.lane.queue()))
    }

    /// What is known of a run; what its attempt says while it executes, lies elsewhere.
    pub(crate) fn found(&mut self, key: RunKey) -> Option<Found> {
        let attempts = self.attempts(key).iter().map(Attempt::from).collect();
        let run = self.runs.get_mut(key)?;
        let reader = run.body.as_mut().map(|body| body.reader());
        let (job, schedule) = (run.job, run.schedule);
        let info = &self.jobs[job.0 as usize].info;
        let (due, started, finished) = match run.state {
            State::Scheduled { due } => (Some(due), None, None),
            State::Waiting | State::Available { .. } => (None, None, None),
            State::Running { started, .. } => (None, Some(started), None),
            State::Ended { started, finished } => {
                (None, (run.attempt > 0).then_some(started), Some(finished))
            }
        };
        let started = started.or_else(|| run.details.failures().last().map(|last| last.started));
        let made_by = match (run.slot, run.origin, run.details.retry_of()) {
            (Some(slot), ..) => MadeBy::Slot { at: slot.at.to_chrono(), schedule: None },
            (None, _, Some(of)) => MadeBy::Retry { of },
            (None, Origin::RunNow, None) => MadeBy::RunNow,
            (None, Origin::Startup | Origin::BlockingStart, None) => MadeBy::Startup,
            (None, Origin::Slot | Origin::Submission, None) => MadeBy::Submission,
        };
        let is_over = matches!(run.state, State::Ended { .. });
        let notes = run.details.notes();
        let output = notes.and_then(|notes| notes.output.as_ref()).and_then(Output::json).map(str::to_owned);
        let outcome = is_over.then(|| run.details.outcome());
        let succeeded = outcome.as_ref().is_some_and(Outcome::is_success);
        let run = RunSnapshot {
            id: run.id,
            job: info.name.to_string(),
            state: run.run_state(),
            made_by,
            requested_by: run.details.requested_by().map(str::to_owned),
            submitted_at: run.id.made_at().to_chrono(),
            due_at: due.map(Timestamp::to_chrono),
            started_at: started.map(Timestamp::to_chrono),
            finished_at: finished.map(Timestamp::to_chrono),
            queue: self.queues.name(run.lane.queue()).to_string(),
            priority: run.lane.priority(),
            attempt: run.attempt,
            retries: run.retries,
            outcome,
            arguments: None,
            output: output.filter(|_| succeeded),
            progress: notes.and_then(|notes| notes.progress),
            attempts,
            log: notes.map_or_else(Vec::new, |notes| notes.lines().collect()),
            node: None,
        };
        Some(Found { key, job, run, reader, schedule })
    }
}
