//! All workers of a pool, under its lock: who is parked, who executes what, and who is to be called.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use super::lock::Apart;
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::desk::Laid;
use crate::job::notes::Notes;
use crate::job::signals::{Cancellation, Signals};
use crate::store::memory::RunKey;

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
    /// Whether [`can_call`](Self::can_call), for those who do not hold the lock.
    idle: Arc<Apart<AtomicBool>>,
}

struct Place {
    /// The worker is to wake up and claim.
    unpark: Arc<AtomicBool>,
    signals: Arc<Signals>,
    /// Any waker of the worker's task wakes it, so the first is kept.
    waker: Option<Waker>,
    state: WorkerState,
    /// When what it executes was told to stop.
    told: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkerState {
    Called,
    Claiming,
    Parked,
    Executing {
        blocking: bool,
        run: RunKey,
    },
    /// What it has executed is over, and the program is told of the failure.
    Telling,
    Gone,
}

/// A worker that was told something under the lock, to be woken outside of it.
pub(super) struct Told {
    waker: Option<Waker>,
    /// Code of the job waits for what was said.
    waited: Option<Arc<Signals>>,
}

impl Told {
    pub(super) fn wake(self) {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        if let Some(signals) = self.waited {
            signals.tell();
        }
    }
}

impl Place {
    pub(super) fn stop(&mut self, why: Cancellation, now: Timestamp) -> Told {
        self.told.get_or_insert(now);
        let waited = self.signals.stop(why).then(|| Arc::clone(&self.signals));
        Told { waker: self.waker.clone(), waited }
    }
}

impl Workers {
    pub(super) fn new(limit: Option<NonZeroUsize>, idle: Arc<Apart<AtomicBool>>) -> Self {
        let workers =
            Self { limit, places: Vec::new(), vacant: Vec::new(), parked: Vec::new(), called: 0, idle };
        workers.show();
        workers
    }

    /// Shows whether there is anybody to call.
    pub(super) fn show(&self) {
        self.idle.0.store(self.can_call(), Ordering::Relaxed);
    }

    /// A worker has found nothing to do. To be said before it looks into the inbox for the last time.
    pub(super) fn is_idle(&self) {
        self.idle.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn limit(&self) -> Option<NonZeroUsize> {
        self.limit
    }

    /// Sets how many workers there may be. Answers the wakers of parked ones, to be woken outside the lock, for they may be
    /// too many.
    pub(super) fn resize(&mut self, limit: Option<NonZeroUsize>) -> Vec<Waker> {
        self.limit = limit;
        let surplus = self.surplus();
        let called = (0..surplus).map_while(|_| self.unpark()).collect();
        self.show();
        called
    }

    /// How many workers there are too many.
    fn surplus(&self) -> usize {
        let there = self.places.len() - self.vacant.len();
        self.limit.map_or(0, |limit| there.saturating_sub(limit.get()))
    }

    /// Whether a worker that has nothing in its hands is to leave.
    pub(super) fn is_one_too_many(&self) -> bool {
        self.surplus() > 0
    }

    /// Workers on their way to a claim.
    pub(super) fn called(&self) -> usize {
        self.called
    }

    /// Whether [`unpark`](Self::unpark) or [`hire`](Self::hire) would find somebody.
    pub(super) fn can_call(&self) -> bool {
        !self.parked.is_empty() || !self.is_full()
    }

    pub(super) fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.places.len() - self.vacant.len() >= limit.get())
    }

    /// Calls a parked worker. Its waker is to be woken outside the lock.
    pub(super) fn unpark(&mut self) -> Option<Waker> {
        let index = self.parked.pop()?;
        self.called += 1;
        self.show();
        let place = &mut self.places[index as usize];
        place.state = WorkerState::Called;
        place.unpark.store(true, Ordering::Release);
        place.waker.clone()
    }

    pub(super) fn unpark_all(&mut self) -> Vec<Waker> {
        std::iter::from_fn(|| self.unpark()).collect()
    }

    /// A place for one more worker, whose task the caller starts outside the lock.
    pub(super) fn hire(&mut self) -> Option<(u32, Arc<Signals>)> {
        if self.is_full() {
            return None;
        }
        let signals = Arc::<Signals>::default();
        let place = Place {
            unpark: Arc::default(),
            signals: Arc::clone(&signals),
            waker: None,
            state: WorkerState::Called,
            told: None,
        };
        self.called += 1;
        let index = if let Some(index) = self.vacant.pop() {
            self.places[index as usize] = place;
            index
        } else {
            self.places.push(place);
            self.places.len() as u32 - 1
        };
        self.show();
        Some((index, signals))
    }

    /// The worker's task has begun, and is woken by this. Answers what tells it that it was called.
    pub(super) fn begun(&mut self, index: u32, waker: Waker) -> Arc<AtomicBool> {
        let place = &mut self.places[index as usize];
        place.waker = Some(waker);
        Arc::clone(&place.unpark)
    }

    /// Whether a worker was called and has not yet come.
    pub(super) fn is_called(&self, index: u32) -> bool {
        self.places[index as usize].state == WorkerState::Called
    }

    /// The worker has come to claim, and whatever it has executed is over. Answers whether its signals are to be told.
    pub(super) fn arrived(&mut self, index: u32) -> bool {
        let place = &mut self.places[index as usize];
        if place.state == WorkerState::Called {
            self.called -= 1;
        }
        place.state = WorkerState::Claiming;
        // Also: cancellations of the run before are not for the next.
        place.signals.end_turn()
    }

    pub(super) fn begin(&mut self, index: u32, blocking: bool, run: RunKey) {
        let place = &mut self.places[index as usize];
        place.state = WorkerState::Executing { blocking, run };
        place.told = None;
    }

    /// What the worker has executed is over, and it is not free yet.
    pub(super) fn tells(&mut self, index: u32) {
        self.places[index as usize].state = WorkerState::Telling;
    }

    /// There is nothing to claim: the worker parks, or ends when enough are parked.
    pub(super) fn park(&mut self, index: u32) -> bool {
        if self.is_one_too_many() || self.limit.is_none() && self.parked.len() >= KEPT {
            // Its turn has ended already.
            let _ = self.leave(index);
            return false;
        }
        self.places[index as usize].state = WorkerState::Parked;
        self.parked.push(index);
        self.show();
        true
    }

    pub(super) fn leave(&mut self, index: u32) -> bool {
        let place = &mut self.places[index as usize];
        if place.state == WorkerState::Called {
            self.called -= 1;
        }
        place.state = WorkerState::Gone;
        place.waker = None;
        let waited = place.signals.end_turn();
        self.parked.retain(|parked| *parked != index);
        self.vacant.push(index);
        self.show();
        waited
    }

    /// Tells a worker to stop what it executes. The telling happens under the lock, so that it cannot hit the run
    /// after.
    pub(super) fn stop(&mut self, index: u32, why: Cancellation, now: Timestamp) -> Told {
        self.places[index as usize].stop(why, now)
    }

    /// Tells every worker that executes a run, and says how many of the runs can be stopped.
    pub(super) fn stop_all(&mut self, why: Cancellation, now: Timestamp) -> (usize, Vec<Told>) {
        let executing = |place: &&mut Place| matches!(place.state, WorkerState::Executing { .. });
        let told = self.places.iter_mut().filter(executing).map(|place| place.stop(why, now)).collect();
        // After it, no plain function begins.
        (self.executing(true), told)
    }

    /// The runs that are executed, each with when it was told to stop, if it was.
    pub(super) fn executed(&self) -> impl Iterator<Item = (RunKey, Option<Timestamp>)> {
        self.places.iter().filter_map(|place| match place.state {
            WorkerState::Executing { run, .. } => Some((run, place.told)),
            _ => None,
        })
    }

    /// Whether what a worker executes was told to stop because somebody wanted it to.
    pub(super) fn is_cancelled(&self, index: u32) -> bool {
        self.places[index as usize].signals.cancellation() == Some(Cancellation::Cancelled)
    }

    /// What the attempt of a worker has left, when it is over.
    pub(super) fn take_laid(&self, index: u32) -> Option<(Notes, Option<Body>)> {
        self.places[index as usize].signals.laid(|laid| (std::mem::take(&mut laid.notes), laid.body.take()))
    }

    /// What lies on the desk of a worker.
    pub(super) fn laid<R>(&self, index: u32, f: impl FnOnce(&mut Laid) -> R) -> Option<R> {
        self.places.get(index as usize)?.signals.laid(f)
    }

    /// How many workers execute a run; with `but_blocking`, not counting plain functions that have begun.
    pub(super) fn executing(&self, but_blocking: bool) -> usize {
        let counts = |place: &&Place| match place.state {
            WorkerState::Executing { blocking, .. } => {
                !(but_blocking && blocking && place.signals.has_begun())
            }
            _ => false,
        };
        self.places.iter().filter(counts).count()
    }

    /// Whether a worker executes a run, or tells of its failure; with `but_blocking`, not counting plain functions.
    pub(super) fn is_busy(&self, but_blocking: bool) -> bool {
        let tells = |place: &Place| place.state == WorkerState::Telling;
        self.executing(but_blocking) > 0 || self.places.iter().any(tells)
    }
}
