//! The loop that each worker runs.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::task::coop;

use super::attempt::{self, Fault, Over};
use super::failure::{Failure, Follows};
#[cfg(feature = "postgres")]
use super::left;
use super::{Pool, Shared, backoff};
use crate::clock::{Reading, Timestamp};
use crate::job::ambient;
use crate::job::body::Body;
use crate::job::context::Surroundings;
use crate::job::run::Outcome;
use crate::job::steer::Steer;
use crate::store::memory::{Claim, Ended, Found, RunKey};
use crate::telemetry::panics;

/// After so many runs that did not wait for anything, others have their turn: as many as tokio lets a task do at a time.
const IN_A_ROW: u32 = 128;

/// One worker, to be run by a task of its own.
#[derive(Debug)]
pub(crate) struct Worker {
    index: u32,
    surroundings: Arc<Surroundings>,
}

enum Next {
    /// What was claimed.
    Execute,
    /// What the run has come to depends on a transaction.
    #[cfg(feature = "sqlite")]
    Settle,
    Park,
    Leave,
}

impl Worker {
    pub(super) fn new(index: u32, surroundings: Arc<Surroundings>) -> Self {
        Self { index, surroundings }
    }

    /// Executes runs until the pool is closed or the worker is one too many.
    pub(crate) async fn run(self, pool: &Arc<Pool>) {
        // Once for all attempts: entering a scope for each would cost each.
        let surroundings = Arc::clone(&self.surroundings);
        ambient::attempt_scope(surroundings, self.execute(pool)).await;
    }

    async fn execute(self, pool: &Arc<Pool>) {
        // A claim is large, so it is written here once and not handed on from one to the next.
        let mut leave = Leave { pool, worker: &self, claim: None, executing: None, kept: None, over: None };
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let unpark = {
            let mut shared = pool.lock();
            shared.workers.begun(self.index, waker)
        };
        let mut in_a_row = 0;
        loop {
            match self.next(pool, &mut leave.over, &mut leave.claim) {
                Next::Execute => {
                    leave.executing = leave.claim.as_ref().map(|claim| claim.key);
                    if let Some(recovery) = leave.claim.as_ref().and_then(|claim| pool.recovery_of(claim)) {
                        recovery.claim_written().await;
                    }
                    let hooks = &pool.hooks.attempts;
                    leave.over =
                        attempt::execute(&mut leave.claim, &self.surroundings, hooks, &mut leave.kept).await;
                    leave.executing = None;
                    // A chain of jobs that never wait must not keep the thread to itself. What tokio lets a task do at a time
                    // is asked for, and taken by the jobs alone: to take a share of it for each run costs more than to count.
                    in_a_row += 1;
                    if in_a_row == IN_A_ROW || !coop::has_budget_remaining() {
                        in_a_row = 0;
                        tokio::task::yield_now().await;
                    }
                }
                #[cfg(feature = "sqlite")]
                Next::Settle => {
                    if let Some(over) = &mut leave.over {
                        pool.settle_completion(over).await;
                    }
                }
                Next::Park => {
                    let called = || unpark.swap(false, Ordering::AcqRel);
                    poll_fn(|_| if called() { Poll::Ready(()) } else { Poll::Pending }).await;
                }
                Next::Leave => {
                    self.surroundings.signals.forget_called();
                    leave.claim = None;
                    std::mem::forget(leave);
                    #[cfg(feature = "postgres")]
                    if pool.runtime_ends.load(Ordering::SeqCst) {
                        pool.has_left();
                    }
                    return;
                }
            }
        }
    }

    /// Ends the attempt that was made and claims the next run, in one step.
    fn next(&self, pool: &Pool, over: &mut Option<Over>, claim: &mut Option<Claim>) -> Next {
        let had_run = over.is_some();
        if !pool.hooks.attempts.on_failure.is_empty() && over.as_ref().is_some_and(Over::has_failed) {
            self.end_and_tell(pool, over);
        }
        let reading = pool.clock.now();
        let now = reading.wall;
        let mut guard = pool.lock_claims();
        let shared: &mut Shared = &mut guard;
        #[cfg(feature = "sqlite")]
        if over.as_ref().is_some_and(|over| shared.is_completing(over.key)) {
            return Next::Settle;
        }
        // What elapsed in a suspension fills the bucket of a rate before this claim, and not after it.
        let reading = if shared.memory.is_restricted() { pool.clock.present().0 } else { reading };
        let was_called = shared.workers.is_called(self.index);
        // What was submitted before its successor becomes available is before it. And who was called was called for all
        // that has come since.
        if was_called || over.as_ref().is_some_and(|over| shared.memory.has_successor(over.key)) {
            pool.take_in(shared);
        }
        let after = over.take().and_then(|over| shared.end(self.index, over, now));
        let waited = shared.workers.arrived(self.index);
        let next = if shared.closed {
            // Its turn has ended already.
            let _ = shared.workers.leave(self.index);
            Next::Leave
        } else if shared.workers.is_one_too_many() {
            let _ = shared.workers.leave(self.index);
            Next::Leave
        } else if shared.claim(pool, self.index, reading, claim) {
            Next::Execute
        } else if shared.workers.park(self.index) {
            Next::Park
        } else {
            Next::Leave
        };
        let closed = shared.closed;
        #[cfg(feature = "metrics")]
        let (running, queued) = (shared.memory.running(), shared.memory.queued());
        let restricted = shared.memory.is_restricted();
        let refills = if restricted { shared.memory.take_refills() } else { Vec::new() };
        // The end of a run may have made room for several others, and a claim has shown the next of a job with limits.
        // What this one was called for, when it leaves, is for another to do, and so is what it was called for beside what it
        // has claimed.
        if (restricted || was_called || matches!(next, Next::Leave)) && shared.wants_worker() {
            pool.wake_one(guard);
            if was_called {
                // Two, for the runtime keeps the one that was woken last for this thread, where what was claimed may block.
                pool.call_workers(1);
            }
        } else {
            drop(guard);
        }
        pool.wait_for(refills);
        #[cfg(feature = "metrics")]
        crate::hooks::metrics::pool(running, queued);
        if waited {
            // The wakers are code of the program's, and the run that was claimed must not go down with one.
            let _ = panics::catch(|| self.surroundings.signals.tell());
        }
        if let Some(after) = after {
            after.settle(pool);
        }
        if closed && had_run {
            pool.drained.notify_waiters();
        }
        next
    }

    /// Ends an attempt that has failed, and tells the program before anything is claimed: what it does takes its time,
    /// and what it says by [`log`](crate::log()) or [`discard`](crate::discard()) is not for the next run.
    fn end_and_tell(&self, pool: &Pool, over: &mut Option<Over>) {
        let now = pool.clock.now().wall;
        let after = {
            let mut shared = pool.lock();
            #[cfg(feature = "sqlite")]
            if over.as_ref().is_some_and(|over| shared.is_completing(over.key)) {
                return;
            }
            let Some(over) = over.take() else { return };
            let after = shared.end(self.index, over, now);
            shared.workers.tells(self.index);
            after
        };
        // The end may have made room for several others.
        pool.call_workers(usize::MAX);
        if let Some(after) = after {
            after.settle(pool);
        }
    }
}

impl Shared {
    /// Adds what lies on the desk of the worker that executes a run.
    pub(super) fn add_laid(&self, found: &mut Found) {
        let Some((worker, attempt)) = self.memory.worker(found.key) else { return };
        let mut notes = self.memory.notes(found.key).cloned().unwrap_or_default();
        self.workers.laid(worker, |laid| {
            notes.append(laid.notes.clone(), attempt);
            found.run.progress = notes.progress;
            found.run.log = notes.lines().collect();
            found.reader = laid.body.as_mut().map(Body::reader);
        });
    }

    /// Whether a worker is to be called.
    pub(super) fn wants_worker(&self) -> bool {
        !self.closed && self.workers.can_call() && self.workers.called() < self.memory.claimable()
    }

    /// Claims a run for a worker, which parks when there is none.
    fn claim(&mut self, pool: &Pool, worker: u32, now: Reading, claimed: &mut Option<Claim>) -> bool {
        // As long as all runs wait in one lane, those that come later are behind what is there already.
        if pool.urgent.0.load(Ordering::Relaxed) || !self.memory.is_plain() {
            pool.take_in(self);
        }
        let mut idle = false;
        loop {
            if self.memory.claim_into(claimed, worker, now)
                && let Some(claim) = claimed
            {
                self.workers.begin(worker, claim.blocking, claim.key);
                if idle {
                    self.workers.show();
                }
                return true;
            }
            // In this order: whoever submits after the look into the inbox sees that somebody is to be called.
            self.workers.is_idle();
            idle = true;
            if !pool.take_in(self) {
                return false;
            }
        }
    }

    /// Ends the attempt of a worker that has died over it: the run is tried again, and the attempt is not counted. The first
    /// time at once, the second time later, so that what another run has done is over; then it may be its own fault.
    fn end_of_dead(&mut self, worker: u32, over: Over, now: Timestamp) -> After {
        const WAIT: Duration = Duration::from_secs(1);
        const MOST_DEATHS: u32 = 3;
        let mut over = over;
        self.take_laid(worker, &mut over);
        let Over { key, fault, mut body } = over;
        let failure = fault.and_then(|fault| fault.failure);
        let deaths = self.memory.worker_died(key);
        let cancelled = self.workers.is_cancelled(worker);
        let goes_on = deaths < MOST_DEATHS && !cancelled && !self.drained;
        if goes_on && let Some(body) = body.take() {
            let wait = if deaths == 1 { Duration::ZERO } else { WAIT };
            self.memory.retry_uncounted(key, body, wait, now);
            return After { key, failure, follows: Follows::Retry(wait), ended: None, now };
        }
        let outcome = match deaths {
            MOST_DEATHS.. => Outcome::Failed(format!(
                "{deaths} workers have died over this run, which may be the cause; it is not tried again"
            )),
            _ if cancelled => Outcome::Cancelled,
            _ => Outcome::Interrupted,
        };
        let ended = self.memory.finish(key, outcome, None, body, now);
        After { key, failure, follows: Follows::Nothing, ended, now }
    }

    /// Takes what the attempt has laid on the desk of its worker.
    #[inline(always)]
    fn take_laid(&mut self, worker: u32, over: &mut Over) {
        if let Some((notes, laid)) = self.workers.take_laid(worker) {
            if !notes.is_empty() {
                self.memory.note(over.key, notes);
            }
            over.body = over.body.take().or(laid);
        }
    }

    /// Ends the attempt that a worker has made: with its run, or so that the run is tried again. After most there is nothing
    /// left to do.
    pub(super) fn end(&mut self, worker: u32, mut over: Over, now: Timestamp) -> Option<After> {
        self.take_laid(worker, &mut over);
        let Over { key, fault, body } = over;
        if let Some(fault) = fault {
            return Some(self.end_failed(worker, key, *fault, body, now));
        }
        let ended = self.memory.finish(key, Outcome::Succeeded, None, body, now)?;
        Some(After { key, failure: None, follows: Follows::Nothing, ended: Some(ended), now })
    }

    /// The same of one that did not succeed.
    #[cold]
    fn end_failed(
        &mut self,
        worker: u32,
        key: RunKey,
        fault: Fault,
        mut body: Option<Body>,
        now: Timestamp,
    ) -> After {
        let Fault { outcome, mut failure } = fault;
        let trace = failure.as_mut().and_then(|failed| failed.trace.take());
        let said = trace.as_ref().and_then(|trace| trace.said.as_ref());
        if let Some(Steer::Discard(reason)) = said {
            let follows = Follows::Discarded(reason.clone());
            let ended = self.memory.finish(key, outcome, trace, body, now);
            return After { key, failure, follows, ended, now };
        }
        // What somebody has cancelled is not tried again, also where the cancellation came too late for the attempt.
        let cancelled = self.workers.is_cancelled(worker);
        // What several processes share is tried again by another.
        let is_claimed = self.memory.is_claimed(key);
        if outcome.is_failure()
            && !cancelled
            && (!self.drained || is_claimed)
            && let Some((backoff, failures)) = self.memory.may_retry(key)
            && let Some(body) = body.take()
        {
            let wait = match said {
                Some(Steer::RetryIn(wait)) => *wait,
                _ => backoff::wait(backoff, failures, self.jitter.next()),
            };
            self.memory.retry(key, outcome, trace, body, wait, now);
            // At shutdown the run waits to be counted as lost: the log must not promise what does not come.
            let follows = if self.closed && !is_claimed { Follows::Nothing } else { Follows::Retry(wait) };
            return After { key, failure, follows, ended: None, now };
        }
        let ended = self.memory.finish(key, outcome, trace, body, now);
        After { key, failure, follows: Follows::Nothing, ended, now }
    }
}

/// What is left to do after an attempt, outside the lock.
pub(super) struct After {
    key: RunKey,
    failure: Option<Box<Failure>>,
    follows: Follows,
    ended: Option<Ended>,
    now: Timestamp,
}

impl After {
    pub(super) fn settle(self, pool: &Pool) {
        if let Some(failure) = self.failure {
            // The log is code of the program's, and so is dropping a value. Neither may take the worker with it: the run
            // that it has claimed in the same step, and the retry below, would be lost.
            let _ = panics::catch(|| failure.log(&self.follows));
            #[cfg(feature = "metrics")]
            failure.count(&self.follows, self.now);
            let hooks = &pool.hooks.attempts;
            if hooks.on_failure.is_empty() {
                let _ = panics::catch(|| drop(failure));
            } else {
                failure.report(hooks, &self.follows, self.now);
            }
        }
        if let Follows::Retry(wait) = self.follows
            && let Some(release_after) = pool.release_after.get()
            && !pool.goes_back(self.key)
        {
            release_after(self.key, wait);
        }
        if let Some(ended) = self.ended {
            pool.settle(ended);
        }
    }
}

/// Gives the place back when the worker's task ends in the middle, as when the runtime shuts down, so that the
/// pool neither counts nor waits for a worker that is gone.
struct Leave<'a> {
    pool: &'a Arc<Pool>,
    worker: &'a Worker,
    claim: Option<Claim>,
    executing: Option<RunKey>,
    /// What that is kept by for another attempt, where it does not lie on the desk.
    kept: Option<Body>,
    /// An attempt that is over, and that the pool does not know of yet.
    over: Option<Over>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let now = self.pool.clock.now().wall;
        #[cfg(feature = "postgres")]
        if self.executing.is_some() && self.over.is_none() {
            let Self { pool, worker, claim, kept, over, .. } = self;
            if left::leave_behind(pool, worker.index, &worker.surroundings, claim, kept, over) {
                return;
            }
        }
        let mut shared = self.pool.lock();
        let is_dead = self.over.is_none() && std::thread::panicking();
        // What the attempt has laid out is kept with its run also where it was cut off.
        let body = self.kept.take();
        let over = self.over.take();
        let over = over.or_else(|| self.executing.map(|key| Over::cut_off(key, body)));
        #[cfg(feature = "sqlite")]
        let (over, is_dead, litter) = match over {
            Some(mut over) if shared.is_completing(over.key) => {
                let litter = shared.settle_at_once(&mut over);
                (Some(over), false, litter)
            }
            over => (over, is_dead, None),
        };
        let after = match over {
            // By a fault of `jobs`, and not since the runtime goes away.
            Some(over) if is_dead => Some(shared.end_of_dead(self.worker.index, over, now)),
            over => over.and_then(|over| shared.end(self.worker.index, over, now)),
        };
        let waited = shared.workers.leave(self.worker.index);
        drop(shared);
        #[cfg(feature = "sqlite")]
        let _ = panics::catch(|| drop(litter));
        self.worker.surroundings.signals.forget_called();
        if waited {
            self.worker.surroundings.signals.tell();
        }
        if let Some(after) = after {
            after.settle(self.pool);
        }
        // What waits for a place is not to wait for a submission that calls the next worker.
        self.pool.call_workers(usize::MAX);
        self.pool.drained.notify_waiters();
        #[cfg(feature = "postgres")]
        self.pool.has_left();
    }
}
