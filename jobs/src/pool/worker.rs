//! The workers: who is parked, who executes what, and the loop each of them runs.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::task::coop;

use super::attempt::{self, Failure, Over};
use super::{Pool, Shared, backoff};
use crate::clock::Timestamp;
use crate::job::context::Surroundings;
use crate::job::run::Outcome;
use crate::store::memory::{Claim, Ended, RunKey};
use crate::telemetry::panics;

/// Parked workers that an unlimited pool keeps; more than this end when they find nothing to do.
const KEPT: usize = 64;

/// All workers of a pool, under its lock.
pub(super) struct Workers {
    limit: Option<NonZeroUsize>,
    places: Vec<Place>,
    /// Places whose worker has ended.
    vacant: Vec<u32>,
    parked: Vec<u32>,
    /// Woken or hired, and not yet at their first claim since.
    called: usize,
}

struct Place {
    signals: Arc<Signals>,
    /// Any waker of the worker's task wakes it, so the first is kept.
    waker: Option<Waker>,
    state: WorkerState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkerState {
    Called,
    Claiming,
    Parked,
    Executing { blocking: bool },
    Gone,
}

/// What others tell a worker.
#[derive(Debug, Default)]
pub(super) struct Signals(AtomicU8);

const UNPARK: u8 = 1;
const CANCEL: u8 = 2;
const INTERRUPT: u8 = 4;

/// Why a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancellation {
    /// Somebody wanted it to be.
    Cancelled,
    /// The program is shutting down.
    Interrupted,
}

impl Cancellation {
    fn signal(self) -> u8 {
        match self {
            Self::Cancelled => CANCEL,
            Self::Interrupted => INTERRUPT,
        }
    }
}

impl Signals {
    fn take_unpark(&self) -> bool {
        self.0.fetch_and(!UNPARK, Ordering::AcqRel) & UNPARK != 0
    }

    /// Why the run that is executed now is to be stopped, if it is.
    pub(super) fn cancellation(&self) -> Option<Cancellation> {
        let signals = self.0.load(Ordering::Acquire);
        if signals & CANCEL != 0 {
            Some(Cancellation::Cancelled)
        } else if signals & INTERRUPT != 0 {
            Some(Cancellation::Interrupted)
        } else {
            None
        }
    }
}

impl Workers {
    pub(super) fn new(limit: Option<NonZeroUsize>) -> Self {
        Self { limit, places: Vec::new(), vacant: Vec::new(), parked: Vec::new(), called: 0 }
    }

    pub(super) fn limit(&self) -> Option<NonZeroUsize> {
        self.limit
    }

    /// Workers on their way to a claim.
    pub(super) fn called(&self) -> usize {
        self.called
    }

    /// Whether [`unpark`](Self::unpark) or [`hire`](Self::hire) would find somebody.
    pub(super) fn can_call(&self) -> bool {
        !self.parked.is_empty() || !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.places.len() - self.vacant.len() >= limit.get())
    }

    /// Calls a parked worker. Its waker is to be woken outside the lock.
    pub(super) fn unpark(&mut self) -> Option<Waker> {
        let index = self.parked.pop()?;
        let place = &mut self.places[index as usize];
        place.state = WorkerState::Called;
        place.signals.0.fetch_or(UNPARK, Ordering::AcqRel);
        self.called += 1;
        place.waker.clone()
    }

    pub(super) fn unpark_all(&mut self) -> Vec<Waker> {
        std::iter::from_fn(|| self.unpark()).collect()
    }

    /// A place for one more worker, whose task the caller starts outside the lock.
    pub(super) fn hire(&mut self) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let place = Place { signals: Arc::default(), waker: None, state: WorkerState::Called };
        self.called += 1;
        if let Some(index) = self.vacant.pop() {
            self.places[index as usize] = place;
            return Some(index);
        }
        self.places.push(place);
        Some(self.places.len() as u32 - 1)
    }

    /// The worker has come to claim.
    fn arrived(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        if place.state == WorkerState::Called {
            self.called -= 1;
        }
        place.state = WorkerState::Claiming;
    }

    fn begin(&mut self, index: u32, blocking: bool) {
        let place = &mut self.places[index as usize];
        place.state = WorkerState::Executing { blocking };
        // Cancellations of the run before this one are out of date.
        place.signals.0.fetch_and(!(CANCEL | INTERRUPT), Ordering::AcqRel);
    }

    /// There is nothing to claim: the worker parks, or ends when enough are parked.
    fn park(&mut self, index: u32) -> bool {
        if self.limit.is_none() && self.parked.len() >= KEPT {
            self.leave(index);
            return false;
        }
        self.places[index as usize].state = WorkerState::Parked;
        self.parked.push(index);
        true
    }

    fn leave(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        if place.state == WorkerState::Called {
            self.called -= 1;
        }
        place.state = WorkerState::Gone;
        place.waker = None;
        self.parked.retain(|parked| *parked != index);
        self.vacant.push(index);
    }

    /// Tells a worker to stop what it executes. Its waker is to be woken outside the lock; the telling happens
    /// under it, so that it cannot hit the run after.
    pub(super) fn stop(&mut self, index: u32, why: Cancellation) -> Option<Waker> {
        let place = &self.places[index as usize];
        place.signals.0.fetch_or(why.signal(), Ordering::AcqRel);
        place.waker.clone()
    }

    /// Tells every worker whose run can be stopped.
    pub(super) fn stop_all(&mut self, why: Cancellation) -> Vec<Waker> {
        let stoppable = |place: &&Place| place.state == WorkerState::Executing { blocking: false };
        let tell = |place: &Place| {
            place.signals.0.fetch_or(why.signal(), Ordering::AcqRel);
            place.waker.clone()
        };
        self.places.iter().filter(stoppable).filter_map(tell).collect()
    }

    /// Whether what a worker executes was told to stop because somebody wanted it to.
    fn is_cancelled(&self, index: u32) -> bool {
        self.places[index as usize].signals.cancellation() == Some(Cancellation::Cancelled)
    }

    pub(super) fn executing(&self, but_blocking: bool) -> usize {
        let counts = |place: &&Place| match place.state {
            WorkerState::Executing { blocking } => !(blocking && but_blocking),
            _ => false,
        };
        self.places.iter().filter(counts).count()
    }
}

/// One worker, to be run by a task of its own.
#[derive(Debug)]
pub(crate) struct Worker {
    index: u32,
    surroundings: Arc<Surroundings>,
}

enum Next {
    Execute(Claim),
    Park,
    Leave,
}

impl Worker {
    pub(super) fn new(index: u32, surroundings: Arc<Surroundings>) -> Self {
        Self { index, surroundings }
    }

    /// Executes runs until the pool is closed or the worker is one too many.
    pub(crate) async fn run(self, pool: &Pool) {
        let mut leave = Leave { pool, index: self.index, executing: None };
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let signals = {
            let mut shared = pool.lock();
            let place = &mut shared.workers.places[self.index as usize];
            place.waker = Some(waker);
            Arc::clone(&place.signals)
        };
        let mut finished = None;
        loop {
            match self.next(pool, finished.take()) {
                Next::Execute(claim) => {
                    let key = claim.key;
                    leave.executing = Some(key);
                    finished = Some(attempt::execute(claim, &signals, &self.surroundings).await);
                    leave.executing = None;
                    // A chain of jobs that never wait must not keep the thread to itself.
                    coop::consume_budget().await;
                }
                Next::Park => {
                    poll_fn(|_| if signals.take_unpark() { Poll::Ready(()) } else { Poll::Pending }).await;
                }
                Next::Leave => {
                    std::mem::forget(leave);
                    return;
                }
            }
        }
    }

    /// Ends the attempt that was made and claims the next run, in one step.
    fn next(&self, pool: &Pool, finished: Option<Over>) -> Next {
        let now = pool.clock.now().wall;
        let mut guard = pool.lock();
        let shared: &mut Shared = &mut guard;
        let had_run = finished.is_some();
        let after = finished.map(|over| shared.end(self.index, over, now));
        shared.workers.arrived(self.index);
        let next = if shared.closed {
            shared.workers.leave(self.index);
            Next::Leave
        } else if let Some(claim) = shared.memory.claim(self.index, now) {
            shared.workers.begin(self.index, claim.blocking);
            Next::Execute(claim)
        } else if shared.workers.park(self.index) {
            Next::Park
        } else {
            Next::Leave
        };
        let closed = shared.closed;
        drop(guard);
        if let Some(after) = after {
            after.settle(pool);
        }
        if closed && had_run {
            pool.drained.notify_waiters();
        }
        next
    }
}

impl Shared {
    /// Ends the attempt that a worker has made: with its run, or so that the run is tried again.
    fn end(&mut self, worker: u32, over: Over, now: Timestamp) -> After {
        let Over { key, outcome, mut failure } = over;
        // What somebody has cancelled is not tried again, also where the cancellation came too late for the attempt.
        let cancelled = self.workers.is_cancelled(worker);
        if outcome.is_failure()
            && !cancelled
            && !self.drained
            && let Some(failed) = &mut failure
            && let Some((backoff, failures)) = self.memory.may_retry(key)
            && let Some(body) = failed.body.take()
        {
            let wait = backoff::wait(backoff, failures, self.jitter.next());
            self.memory.retry(key, outcome, body, wait, now);
            return After { failure, retry: Some((key, wait)), ended: None };
        }
        After { failure, retry: None, ended: self.memory.finish(key, outcome, now) }
    }
}

/// What is left to do after an attempt, outside the lock.
struct After {
    failure: Option<Box<Failure>>,
    retry: Option<(RunKey, Duration)>,
    ended: Option<Ended>,
}

impl After {
    fn settle(self, pool: &Pool) {
        if let Some(failure) = self.failure {
            failure.log(self.retry.map(|(_, wait)| wait));
            // Dropping a value is code of the user.
            let _ = panics::catch(|| drop(failure));
        }
        if let Some((key, wait)) = self.retry
            && let Some(release_after) = pool.release_after.get()
        {
            release_after(key, wait);
        }
        if let Some(ended) = self.ended {
            ended.settle();
        }
    }
}

/// Gives the place back when the worker's task ends in the middle, as when the runtime shuts down, so that the
/// pool neither counts nor waits for a worker that is gone.
struct Leave<'a> {
    pool: &'a Pool,
    index: u32,
    executing: Option<RunKey>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let now = self.pool.clock.now().wall;
        let mut shared = self.pool.lock();
        let cut_off = |key| shared.memory.finish(key, Outcome::Interrupted, now);
        let ended = self.executing.and_then(cut_off);
        shared.workers.leave(self.index);
        drop(shared);
        if let Some(ended) = ended {
            ended.settle();
        }
        self.pool.drained.notify_waiters();
    }
}
