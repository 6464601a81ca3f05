//! Runs arrive: at once through the inbox, or to wait for their time.

use std::sync::atomic::Ordering;

use super::inbox::{Directory, SUPPLY};
use super::{Closed, Pool, Shared};
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::options::Origin;
use crate::job::run::RunId;
use crate::store::memory::{Arrival, JobIx, RunKey, RunOptions, Submitted, UniqueKey};

impl Pool {
    /// Queues a run. `job` finds the job under the same lock.
    pub(crate) fn submit(
        &self,
        job: impl Fn(&Directory) -> Option<JobIx>,
        body: Body,
        origin: Origin,
        options: RunOptions,
    ) -> Result<Result<(RunId, RunKey), Body>, Closed> {
        let now = self.clock.now().wall;
        let (id, key, waiting, in_rush) = loop {
            let mut inbox = self.inbox();
            if inbox.closed {
                return Err(Closed);
            }
            let Some(job) = job(&inbox.directory) else { return Ok(Err(body)) };
            if let Some(key) = inbox.keys.pop() {
                let id = self.ids.next(now);
                if !inbox.directory.is_plain(job, &options) {
                    self.urgent.0.store(true, Ordering::Relaxed);
                }
                inbox.arrivals.push(Arrival { id, key, job, body, origin, options, now });
                break (id, key, inbox.arrivals.len(), inbox.rush.comes(now));
            }
            drop(inbox);
            self.supply();
        };
        // A worker that finds nothing says that it is idle before it looks here for the last time. So either it has found
        // this run, or it is seen here.
        if self.hooks.bus.is_heard() {
            // Who listens does not wait for a worker to look.
            self.call_workers(1);
        } else if self.idle.0.load(Ordering::Relaxed) {
            if in_rush {
                self.call_in_rush(waiting);
            } else {
                self.call_workers(1);
            }
        }
        #[cfg(feature = "metrics")]
        self.measure();
        Ok(Ok((id, key)))
    }

    /// Calls a worker where somebody is to look into the inbox that nobody was called for, or where it has become a crowd that
    /// waits there. Whoever was called takes in all that has come since, and calls others: see [`Rush`](super::inbox::Rush).
    fn call_in_rush(&self, waiting: usize) {
        const CROWD: usize = 256;
        if waiting != 1 && !waiting.is_multiple_of(CROWD) {
            return;
        }
        let shared = self.lock_claims();
        if !shared.closed && shared.workers.can_call() && shared.workers.called() <= waiting / CROWD {
            self.wake_one(shared);
        }
    }

    /// Queues or delays a run, unless another stands for it.
    pub(crate) fn submit_unique(
        &self,
        key: UniqueKey,
        body: Body,
        origin: Origin,
        options: RunOptions,
        due: Option<Timestamp>,
    ) -> Result<Submitted, Closed> {
        let now = self.clock.now().wall;
        let submitted = {
            let mut shared = self.lock();
            if shared.closed {
                return Err(Closed);
            }
            shared.memory.submit_unique(key, body, origin, options, due, now)
        };
        self.call_workers(1);
        Ok(submitted)
    }

    /// Queues a run with the work of one that has ended.
    pub(crate) fn submit_again(&self, job: JobIx, body: Body, of: RunId) -> Result<(RunId, RunKey), Closed> {
        let now = self.clock.now().wall;
        let submitted = {
            let mut shared = self.lock();
            if shared.closed {
                return Err(Closed);
            }
            shared.memory.submit_again(job, body, of, now)
        };
        self.call_workers(1);
        Ok(submitted)
    }

    /// Keeps a run until [`release`](Self::release).
    pub(crate) fn delay(
        &self,
        job: JobIx,
        body: Body,
        options: RunOptions,
        due: Timestamp,
    ) -> Result<(RunId, RunKey), Closed> {
        let now = self.clock.now().wall;
        let mut shared = self.lock();
        if shared.closed { Err(Closed) } else { Ok(shared.memory.delay(job, body, options, due, now)) }
    }

    /// Gives the inbox keys for submissions.
    fn supply(&self) {
        let mut shared = self.lock();
        let Shared { memory, keys, .. } = &mut *shared;
        keys.resize_with(SUPPLY, || memory.reserve());
        self.inbox().keys.append(keys);
    }
}
