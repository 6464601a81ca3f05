//! The side of the pool that a store sees which several processes share: it claims runs for the pool, and is told what has
//! become of them.

use std::collections::HashSet;

use super::Pool;
use super::workers::Told;
use crate::job::body::Body;
use crate::job::run::RunId;
use crate::job::signals::Cancellation;
use crate::store::journal::Journal;
use crate::store::memory::{Cancel, ClaimResult, ClaimedRun, JobIx, JobState, Left, RunKey};
use crate::telemetry::panics;

/// So many results are taken at a time under the lock that claims take.
const AT_A_TIME: usize = 128;

/// What the pool has places for at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) count: usize,
    /// How many runs wait here for one of them.
    pub(crate) waiting: usize,
    /// Nothing begins any more.
    pub(crate) closed: bool,
    /// Queues with a limit of their own, and how many of their runs fit.
    pub(crate) queues: Vec<(String, usize)>,
}

/// An unlimited pool takes so many runs at a time.
const UNLIMITED: usize = 1000;

impl Pool {
    /// Makes it the pool of one process among several, which share a store: that heeds the limits of jobs. To be said before
    /// there are jobs.
    pub(crate) fn share(&self, journal: Journal) {
        self.durable.store(true, std::sync::atomic::Ordering::Relaxed);
        self.ids.stand_apart(crate::clock::random());
        let mut shared = self.lock();
        shared.memory.leave_limits();
        shared.memory.record_to(journal);
    }

    /// Of what executes here and was claimed from no store, the job and the queue.
    #[cfg(any(feature = "testing", feature = "web"))]
    pub(crate) fn bound_running(&self) -> Vec<(JobIx, String)> {
        let shared = self.lock();
        let memory = &shared.memory;
        let bound = shared.workers.executed().filter(|(run, _)| !memory.is_claimed(*run));
        bound.filter_map(|(run, _)| memory.place_of(run)).collect()
    }

    /// Of these runs, those of closures that wait here and were claimed from the store, the job and the queue.
    #[cfg(feature = "web")]
    pub(crate) fn closures_claimed(&self, runs: &[RunId]) -> Vec<(JobIx, String)> {
        let shared = self.lock();
        let key_of = |run: &RunId| shared.memory.key_of(*run);
        runs.iter().filter_map(key_of).filter_map(|key| shared.memory.waits_claimed(key)).collect()
    }

    /// Of one job or of all, the runs that were claimed from no store and made before one, the youngest first.
    pub(crate) fn bound_runs(&self, job: Option<JobIx>, before: Option<RunId>) -> Vec<(RunId, RunKey)> {
        let is_bound = |(_, job): &(JobIx, &JobState)| {
            job.info.is_func || job.info.descriptor.is_some_and(|descriptor| descriptor.startup.is_some())
        };
        let mut jobs: Vec<JobIx> =
            self.read(|memory| memory.jobs().filter(is_bound).map(|(ix, _)| ix).collect());
        jobs.retain(|ix| job.is_none_or(|job| job == *ix));
        let mut runs: Vec<_> = jobs.into_iter().flat_map(|ix| self.runs_of(ix, before)).collect();
        self.read(|memory| runs.retain(|(_, key)| !memory.is_claimed(*key)));
        runs.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        runs
    }

    /// How many runs it has places for, and how many wait here for one.
    pub(crate) fn places(&self) -> Places {
        let shared = self.lock();
        let memory = &shared.memory;
        if shared.closed || self.spawn.get().is_none() {
            return Places { waiting: memory.queued(), closed: shared.closed, ..Places::default() };
        }
        let running = memory.running();
        let size = shared.workers.limit().map_or(running + UNLIMITED, std::num::NonZeroUsize::get);
        let queues = memory.limited_queues().map(|queue| {
            let limit = queue.limit.map_or(usize::MAX, std::num::NonZeroUsize::get);
            (queue.name.to_string(), limit.saturating_sub(queue.running + queue.waiting))
        });
        Places {
            count: size.saturating_sub(running),
            waiting: memory.fitting(),
            closed: false,
            queues: queues.collect(),
        }
    }

    /// Takes runs that were claimed for it, in the order in which they are to start. All come back where nothing starts any more.
    pub(crate) fn take_claimed(&self, runs: Vec<ClaimedRun>) -> Vec<ClaimedRun> {
        let now = self.clock.now().wall;
        let count = runs.len();
        {
            let mut shared = self.lock();
            if shared.drained {
                return runs;
            }
            for run in runs {
                shared.memory.take_claimed(run, now);
            }
        }
        self.call_workers(count);
        #[cfg(feature = "metrics")]
        self.measure();
        Vec::new()
    }

    /// Forgets the runs that were claimed and wait here for a place, and answers which.
    pub(crate) fn let_go_waiting(&self) -> Vec<RunId> {
        let (gone, left) = self.lock().memory.let_go_waiting();
        drop_all(left);
        gone
    }

    /// What has become of the runs that were claimed, in the order in which it did.
    pub(crate) fn take_results(&self) -> Vec<ClaimResult> {
        let (mut results, mut left) = (Vec::new(), Vec::new());
        while self.lock().memory.take_results(AT_A_TIME, &mut results, &mut left) {}
        drop_all(left);
        results
    }

    /// Somebody else has the claims of these runs: those that wait are given up, and those that execute are stopped. What they
    /// come to is nobody's business any more.
    pub(crate) fn lose_claims(&self, runs: impl Iterator<Item = RunId>) {
        let now = self.clock.now().wall;
        let (mut ended, mut told) = (Vec::new(), Vec::new());
        {
            let mut shared = self.lock();
            for run in runs {
                let Some(key) = shared.memory.key_of(run) else { continue };
                match shared.memory.lose_claim(key, now) {
                    Cancel::Ended(end) => ended.push(end),
                    Cancel::Running(worker) => {
                        told.push(shared.workers.stop(worker, Cancellation::Interrupted, now));
                    }
                    Cancel::Gone => {}
                }
            }
        }
        told.into_iter().for_each(Told::wake);
        ended.into_iter().for_each(|ended| self.settle(ended));
    }

    /// What a run has left here that has gone back, and may be claimed by anybody.
    pub(crate) fn left_by(&self, run: RunId) -> Option<Left> {
        self.read(|memory| memory.left_by(run).cloned())
    }

    /// What is paused in the cluster, by the names of jobs and queues. Answers the jobs for which that is new.
    pub(crate) fn see_pauses(&self, jobs: &[String], queues: &[String]) -> Vec<(JobIx, bool)> {
        let now = self.clock.now().wall;
        let (jobs, queues): (HashSet<_>, HashSet<_>) = (jobs.iter().collect(), queues.iter().collect());
        let mut changed = Vec::new();
        {
            let mut shared = self.lock();
            let paused = |name: &str| jobs.iter().any(|job| *job == name);
            let news: Vec<_> = shared
                .memory
                .jobs()
                .filter(|(_, job)| job.paused_since.is_some() != paused(&job.info.name))
                .map(|(ix, job)| (ix, job.paused_since.is_none()))
                .collect();
            for (ix, paused) in news {
                shared.memory.job_mut(ix).paused_since = paused.then_some(now);
                changed.push((ix, paused));
            }
            let names: Vec<_> = shared.memory.queues().map(|state| state.queue.name.to_string()).collect();
            for name in names.iter().chain(queues.iter().copied()) {
                // It may be one of another version of the program, and one too many here.
                if let Ok(ix) = shared.memory.queue_named(name) {
                    shared.memory.pause_queue(ix, queues.contains(name));
                }
            }
        }
        self.call_workers(usize::MAX);
        changed
    }
}

/// Drops values of the user's, which may panic.
fn drop_all(bodies: Vec<Body>) {
    for body in bodies {
        let _ = panics::catch(|| drop(body));
    }
}
