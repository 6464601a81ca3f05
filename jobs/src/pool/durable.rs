//! The side of the pool that a store sees which outlives the process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Firing, Pool};
use crate::clock::Timestamp;
use crate::job::body::Body;
#[cfg(feature = "sqlite")]
use crate::job::options::Origin;
use crate::job::output::JsonError;
use crate::job::run::RunId;
use crate::store::journal::{Changes, Commits, Journal, RunRecord};
#[cfg(feature = "sqlite")]
use crate::store::memory::{Arrival, RunOptions, UniqueKey};
use crate::store::memory::{Claim, JobIx, Restored, RunKey};
use crate::store::slab::Key;
use crate::telemetry::panics;

/// What the arguments of a run may take, as JSON, in a store that outlives the process.
pub(crate) const MOST_ARGUMENTS: usize = 1 << 20;

/// So many runs are read at a time under the lock that claims take.
const AT_A_TIME: usize = 128;

/// Why the arguments of a run cannot be written down.
#[derive(Debug)]
pub(crate) enum Unwritten {
    TooLarge,
    /// The type cannot be written as JSON, or its code has panicked.
    Unwritable(String),
}

/// What has become of a run that a transaction of the program's has written.
#[cfg(feature = "sqlite")]
#[derive(Debug)]
pub(crate) enum Arrived {
    Queued,
    /// To be released then.
    Delayed(RunKey, Timestamp),
    /// Another stands for it, or nothing starts here any more.
    Left(Body),
}

/// After a process that has ended in disorder: what it has left does not begin before its claim is written, so that a run
/// that ends the process at once is known to have done so.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) commits: Arc<Commits>,
    /// The last run that it has left.
    pub(crate) last: RunId,
    /// On the clock of a test, which must not go on while a commit is waited for.
    pub(crate) blocks: bool,
}

impl Pool {
    /// Lets what the process before has left wait for its claim to be written.
    pub(crate) fn recover(&self, recovery: Recovery) {
        let again = self.recovery.set(recovery);
        debug_assert!(again.is_ok(), "a pool recovers once");
    }

    /// What the run that is claimed waits for before it begins.
    pub(super) fn recovery_of(&self, claim: &Claim) -> Option<&Recovery> {
        self.recovery.get().filter(|recovery| claim.id <= recovery.last)
    }

    /// Marks what changes from now on, for a store to write down.
    pub(crate) fn record_to(&self, journal: Journal) {
        self.durable.store(true, Ordering::Relaxed);
        self.lock().memory.record_to(journal);
    }

    /// Whether runs outlive the process.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Relaxed)
    }

    /// Whether the next attempt of a run is for a store to give out that other processes share.
    pub(super) fn goes_back(&self, run: RunKey) -> bool {
        self.is_durable() && self.lock().memory.is_claimed(run)
    }

    /// Everything that was marked.
    pub(crate) fn take_changes(&self) -> Changes {
        let mut changes = Changes::default();
        while self.lock().memory.take_changes(AT_A_TIME, &mut changes) {}
        changes
    }

    /// The work of a submission with its arguments written down. This calls code of the user, so not under a lock.
    pub(crate) fn written(&self, body: Body) -> Result<Body, Unwritten> {
        if !self.is_durable() {
            return Ok(body);
        }
        match panics::catch(|| body.write_down(MOST_ARGUMENTS)) {
            Ok(Ok(body)) => Ok(body),
            Ok(Err((body, error))) => {
                let _ = panics::catch(|| drop(body));
                Err(match error {
                    JsonError::TooLarge(_) => Unwritten::TooLarge,
                    JsonError::Unwritable(error) => Unwritten::Unwritable(error.to_string()),
                })
            }
            Err(panic) => Err(Unwritten::Unwritable(format!("writing them panicked: {}", panic.message))),
        }
    }

    /// The same for runs of slots, which are made whatever becomes of their arguments: one that cannot be written down fails
    /// when it is read back.
    pub(super) fn write_down(&self, firings: &mut VecDeque<Firing>) {
        if !self.is_durable() {
            return;
        }
        for firing in firings {
            if let Body::Template(template) = &firing.body {
                let body = Body::Template(template.clone());
                if let Ok(Ok(body)) = panics::catch(|| body.write_down(MOST_ARGUMENTS)) {
                    firing.body = body;
                }
            }
        }
    }

    /// Restores a run that another process has left.
    pub(crate) fn restore(
        &self,
        job: JobIx,
        record: RunRecord,
        body: Result<Body, String>,
        clean: bool,
        now: Timestamp,
    ) -> (RunKey, Restored) {
        self.lock().memory.restore(job, record, body, clean, now)
    }

    /// Takes a run back that has not started.
    pub(crate) fn cancel_unstarted(&self, run: RunKey) {
        let now = self.clock.now().wall;
        let ended = self.lock().memory.cancel_unstarted(run, now);
        if let Some(ended) = ended {
            self.settle(ended);
            self.call_workers(1);
        }
    }

    /// The run that stands for submissions with this in common.
    #[cfg(feature = "sqlite")]
    pub(crate) fn standing(&self, key: &UniqueKey) -> Option<(RunId, RunKey)> {
        let now = self.clock.now().wall;
        self.lock().memory.standing(key, now)
    }

    /// Takes a run that a transaction of the program's has written into the store.
    #[cfg(feature = "sqlite")]
    pub(crate) fn arrive(
        &self,
        id: RunId,
        job: JobIx,
        body: Body,
        options: RunOptions,
        due: Option<Timestamp>,
        unique: Option<UniqueKey>,
    ) -> Arrived {
        let now = self.clock.now().wall;
        let due = due.filter(|due| *due > now);
        let key = {
            let mut shared = self.lock();
            if shared.closed {
                return Arrived::Left(body);
            }
            let key = shared.memory.reserve();
            let arrival = Arrival { id, key, job, body, origin: Origin::Submission, options, now };
            if let Err(body) = shared.memory.arrive(arrival, due, unique) {
                return Arrived::Left(body);
            }
            key
        };
        match due {
            Some(due) => Arrived::Delayed(key, due),
            None => {
                self.call_workers(1);
                Arrived::Queued
            }
        }
    }

    /// Lets a schedule of this process wait for the end of a run that another process has left; `false` when that has
    /// come.
    pub(crate) fn await_end(&self, run: RunKey, schedule: Key) -> bool {
        self.lock().memory.await_end(run, schedule)
    }

    /// The identity of a run that is made now.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn next_id(&self) -> RunId {
        self.ids.next(self.clock.now().wall)
    }

    /// An identity for this process, made before it knows the time of the store.
    #[cfg(feature = "postgres")]
    pub(crate) fn own_id(&self) -> RunId {
        self.ids.of_instance(self.clock.now().wall)
    }

    /// The identities that are made from now on come after one.
    pub(crate) fn resume_after(&self, id: RunId) {
        self.ids.resume_after(id);
    }

    /// Pauses what another process has left paused.
    pub(crate) fn restore_pauses(&self, jobs: impl Iterator<Item = (JobIx, Timestamp)>, queues: &[String]) {
        let mut shared = self.lock();
        for (job, since) in jobs {
            shared.memory.job_mut(job).paused_since = Some(since);
        }
        for queue in queues {
            if let Ok(queue) = shared.memory.queue_named(queue) {
                shared.memory.pause_queue(queue, true);
            }
        }
    }
}

impl Recovery {
    /// Waits until what is claimed is written. Where nothing can be written for long, runs go on all the same.
    pub(super) async fn claim_written(&self) {
        let request = self.commits.request();
        let _ = match self.blocks {
            true => self.commits.committed_blocking(request),
            false => self.commits.committed(request).await,
        };
    }
}
