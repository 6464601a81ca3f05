//! The runs of a job that have not ended, for whoever asks why it does not run.

use std::num::{NonZeroU32, NonZeroUsize};

use jobs_syntax::Rate;

use super::lanes::Seq;
use super::{JobIx, Memory, Run, RunKey, State};
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
    /// So many plain functions run.
    Threads(usize),
}

impl Memory {
    /// What holds back the first available run of a job, if there is one and something does.
    pub(crate) fn held_back(&self, job: JobIx) -> Option<HeldBack> {
        let (_, first) = self.available_of(job).min_by_key(|(seq, _)| *seq)?;
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
        let rate = of_job.rate.filter(|_| account.limits.as_ref().is_some_and(|limits| limits.is_dry()));
        let threads = self.queues.used_up_threads().filter(|_| first.lane.is_threaded());
        rate.map(HeldBack::Rate).or_else(|| threads.map(HeldBack::Threads))
    }

    /// The live runs of a job, in no order; `executed` are the runs that workers execute, of all jobs. What has ended is
    /// not looked at, nor what other jobs have live, but for what they have in the same lines.
    pub(crate) fn live_of(&self, job: JobIx, executed: impl Iterator<Item = RunKey>) -> Vec<LiveRun> {
        let account = self.job(job);
        let (delayed, waiting) = (account.delayed.iter(), account.waiting.iter());
        let unstarted = delayed.flat_map(|keys| keys.iter()).chain(waiting.flat_map(|keys| keys.iter()));
        let runs = unstarted.copied().chain(executed).filter_map(|key| self.runs.get(key));
        let runs = runs.filter(|run| run.job == job).chain(self.available_of(job).map(|(_, run)| run));
        let live = runs.filter_map(|run| {
            let life = match run.state {
                State::Running { started, .. } => Life::Running { since: started },
                State::Available { since } => Life::Available { since },
                State::Waiting => Life::Waiting,
                State::Scheduled { due } => Life::Scheduled { due },
                State::Ended { .. } => return None,
            };
            Some(LiveRun { slot: run.slot.map(|slot| slot.at), life, attempt: run.attempt })
        });
        live.collect()
    }

    /// The available runs of a job, each with its place in the order.
    fn available_of(&self, job: JobIx) -> impl Iterator<Item = (Seq, &Run)> {
        let account = self.job(job);
        let own = account.limits.iter().flat_map(|limits| limits.runs());
        // Those of a job without limits stand in the lines of all. Most jobs have none.
        let lines = account.limits.is_none().then(|| self.lanes.lines()).into_iter().flatten();
        let runs = own.chain(lines).filter_map(|(seq, key)| Some((seq, self.runs.get(key)?)));
        runs.filter(move |(_, run)| run.job == job && matches!(run.state, State::Available { .. }))
            .take(account.available as usize)
    }
}
