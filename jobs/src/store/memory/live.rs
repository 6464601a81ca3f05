//! The runs of a job that have not ended, for whoever asks why it does not run.

use std::num::{NonZeroU32, NonZeroUsize};

use jobs_syntax::Rate;

use super::{JobIx, Memory, Run, State};
use crate::clock::Timestamp;
use crate::job::name::JobName;

/// A run that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveRun {
    pub(crate) slot: Option<Timestamp>,
    pub(crate) life: Life,
    /// How many attempts have begun.
    pub(crate) attempt: u32,
}

/// What a run that has not ended is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Running { since: Timestamp },
    Available { since: Timestamp },
    Waiting,
    Scheduled { due: Timestamp },
}

/// What keeps a run from starting that could, beside the size of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeldBack {
    QueuePaused(JobName),
    QueueFull(JobName, NonZeroUsize),
    Concurrency(NonZeroU32),
    Rate(Rate),
}

impl Memory {
    /// What holds back the first available run of a job, if there is one and something does.
    pub(crate) fn held_back(&self, job: JobIx) -> Option<HeldBack> {
        let available = |run: &&Run| run.job == job && matches!(run.state, State::Available { .. });
        let runs = self.runs.iter().map(|(_, run)| run).filter(available);
        // So that nobody looks for what is not there: most jobs have none.
        let first = runs.take(self.job(job).available as usize).min_by_key(|run| run.seq)?;
        let (_, queue) = self.queues.iter().find(|(ix, _)| *ix == first.lane.queue())?;
        if queue.paused {
            return Some(HeldBack::QueuePaused(queue.name.clone()));
        }
        if let Some(limit) = queue.limit.filter(|limit| queue.running >= limit.get()) {
            return Some(HeldBack::QueueFull(queue.name.clone(), limit));
        }
        let account = self.job(job);
        let of_job = &account.info.limits;
        if let Some(limit) = of_job.concurrency.filter(|limit| account.running >= limit.get()) {
            return Some(HeldBack::Concurrency(limit));
        }
        of_job
            .rate
            .filter(|_| account.limits.as_ref().is_some_and(|limits| limits.is_dry()))
            .map(HeldBack::Rate)
    }

    /// The live runs of a job, in no order. Where it has any, it may look at every run of every job.
    pub(crate) fn live_of(&self, job: JobIx) -> Vec<LiveRun> {
        let live = self.runs.iter().filter(|(_, run)| run.job == job).filter_map(|(_, run)| {
            let life = match run.state {
                State::Running { started, .. } => Life::Running { since: started },
                State::Available { since } => Life::Available { since },
                State::Waiting => Life::Waiting,
                State::Scheduled { due } => Life::Scheduled { due },
                State::Ended { .. } => return None,
            };
            Some(LiveRun { slot: run.slot.map(|slot| slot.at), life, attempt: run.attempt })
        });
        let job = self.job(job);
        let count = (job.running + job.available + job.scheduled) as usize + job.waiting();
        live.take(count).collect()
    }
}
