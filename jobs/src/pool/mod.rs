//! How many: resident workers claim runs one at a time and execute them.
//!
//! A worker is a task that, in one step under one lock and with one reading of the clock, ends the run it has
//! executed and claims the next; only where the program is to be told of a failure, it is between the two. There are at
//! most as many workers as the pool is large, so a claim needs no permit. They are made when work first waits for one and
//! stay, parked, when there is none.
//!
//! ```text
//!             work waits and nobody is parked
//!                        │
//!                        ▼         nothing to claim
//!   ┌───────────────► claiming ──────────────────► parked
//!   │ finish, claim     │  ▲                          │
//!   └──── executing ◄───┘  └──────── woken ───────────┘
//! ```

mod attempt;
mod backoff;
mod closing;
#[cfg(feature = "sqlite")]
mod completing;
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only a store on this machine asks"))]
mod durable;
mod failure;
mod inbox;
#[cfg(feature = "postgres")]
mod left;
mod lock;
mod look;
#[cfg(feature = "postgres")]
mod shared;
mod slots;
mod submit;
mod trouble;
mod worker;
mod workers;

use std::any::TypeId;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::hooks::Hooks;
use crate::job::context::Surroundings;
use crate::job::info::JobInfo;
use crate::job::run::RunIds;
use crate::job::signals::{Cancellation, Signals};
use crate::store::memory::{
    Arrival, Cancel, Ended, JobIx, Litter, Memory, NameTaken, QueueIx, Refill, Retention, RunKey,
    TooManyQueues,
};
use crate::store::slab::Key;

use backoff::Jitter;
#[cfg(feature = "sqlite")]
use completing::Completing;
#[cfg(feature = "sqlite")]
pub(crate) use completing::{Completed, Transactions};
#[cfg(feature = "sqlite")]
pub(crate) use durable::Arrived;
#[cfg(feature = "postgres")]
pub(crate) use durable::MOST_ARGUMENTS;
pub(crate) use durable::Recovery;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use durable::Unwritten;
pub(crate) use inbox::Directory;
use inbox::Inbox;
#[cfg(feature = "postgres")]
use left::Emptied;
use lock::{Apart, Locked};
pub(crate) use slots::{Firing, SlotFate};
pub(crate) use worker::Worker;
use workers::Workers;

/// Starts a worker's task, in whatever surroundings the instance wants it to have.
pub(crate) type Spawn = Box<dyn Fn(Worker) + Send + Sync>;

/// Calls [`Pool::release`] for a run when a duration has passed: it waits to be tried again.
pub(crate) type ReleaseAfter = Box<dyn Fn(RunKey, Duration) + Send + Sync>;

/// Told of a schedule that waited for the end of a run.
pub(crate) type RunEnded = Box<dyn Fn(Key) + Send + Sync>;

/// The queue, the accounts of the jobs and the workers, behind one lock, and what has just been submitted behind another.
pub(crate) struct Pool {
    shared: Apart<Mutex<Shared>>,
    inbox: Apart<Mutex<Inbox>>,
    /// Whether there is a worker to call. Who submits looks here; it is written under the lock of the workers.
    idle: Arc<Apart<AtomicBool>>,
    /// Whether something has arrived that may be claimed before what is in the queue. Written under the lock of the inbox.
    urgent: Apart<AtomicBool>,
    /// Whether runs outlive the process, so that their arguments are written down.
    durable: AtomicBool,
    /// Set where the process before has ended in disorder.
    recovery: OnceLock<Recovery>,
    /// Set where jobs may complete their runs in transactions.
    #[cfg(feature = "sqlite")]
    transactions: OnceLock<Transactions>,
    ids: Arc<RunIds>,
    clock: Arc<Clock>,
    hooks: Arc<Hooks>,
    surroundings: OnceLock<Surroundings>,
    spawn: OnceLock<Spawn>,
    release_after: OnceLock<ReleaseAfter>,
    run_ended: OnceLock<RunEnded>,
    #[cfg(feature = "postgres")]
    emptied: OnceLock<Emptied>,
    /// Whoever leaves from now on goes with the runtime.
    #[cfg(feature = "postgres")]
    runtime_ends: AtomicBool,
    /// Told when the last run has ended after the pool was closed.
    drained: Notify,
}

struct Shared {
    memory: Memory,
    workers: Workers,
    /// Empty, to be exchanged for what has arrived.
    arrivals: Vec<Arrival>,
    /// Keys for the inbox.
    keys: Vec<RunKey>,
    jitter: Jitter,
    #[cfg(feature = "sqlite")]
    completing: Completing,
    /// No run is accepted or claimed any more.
    closed: bool,
    /// No run waits for anything any more: what fails now is not tried again.
    drained: bool,
}

/// The pool does not accept runs any more.
#[derive(Debug)]
pub(crate) struct Closed;

/// How full the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gauge {
    pub(crate) size: Option<NonZeroUsize>,
    pub(crate) running: usize,
    pub(crate) queued: usize,
    pub(crate) live: usize,
}

impl Pool {
    /// A pool that executes at most `size` runs at the same time; `None` is no limit.
    pub(crate) fn new(size: Option<NonZeroUsize>, clock: Arc<Clock>, hooks: Arc<Hooks>) -> Self {
        let mut memory = Memory::new(clock.entropy());
        memory.tell_to(hooks.bus.clone());
        let (ids, idle) = (memory.ids(), Arc::default());
        let shared = Shared {
            memory,
            workers: Workers::new(size, Arc::clone(&idle)),
            arrivals: Vec::new(),
            keys: Vec::new(),
            jitter: Jitter::new(clock.entropy()),
            #[cfg(feature = "sqlite")]
            completing: Completing::default(),
            closed: false,
            drained: false,
        };
        Self {
            shared: Apart(Mutex::new(shared)),
            inbox: Apart::default(),
            idle,
            urgent: Apart::default(),
            durable: AtomicBool::new(false),
            recovery: OnceLock::new(),
            #[cfg(feature = "sqlite")]
            transactions: OnceLock::new(),
            ids,
            clock,
            hooks,
            surroundings: OnceLock::new(),
            spawn: OnceLock::new(),
            release_after: OnceLock::new(),
            run_ended: OnceLock::new(),
            #[cfg(feature = "postgres")]
            emptied: OnceLock::new(),
            #[cfg(feature = "postgres")]
            runtime_ends: AtomicBool::new(false),
            drained: Notify::new(),
        }
    }

    /// Gives the pool what its workers need. Until then it accepts runs and executes none.
    pub(crate) fn open(
        &self,
        surroundings: Surroundings,
        release_after: ReleaseAfter,
        run_ended: RunEnded,
        spawn: Spawn,
    ) {
        let first = self.surroundings.set(surroundings).is_ok()
            && self.release_after.set(release_after).is_ok()
            && self.run_ended.set(run_ended).is_ok()
            && self.spawn.set(spawn).is_ok();
        assert!(first, "invariant: an instance opens its pool once");
        self.call_workers(usize::MAX);
    }

    /// The lock, with everything taken in that was submitted before.
    fn lock(&self) -> Locked<'_> {
        let mut shared = self.lock_claims();
        self.take_in(&mut shared);
        shared
    }

    /// The lock alone: what was submitted last may still lie in the inbox.
    fn lock_claims(&self) -> Locked<'_> {
        // Nothing under the lock calls code of the user, and the state machine is whole between its steps.
        Locked::new(lock::take(&self.shared.0), &self.hooks.bus)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock::take(&self.inbox.0)
    }

    /// Takes in what was submitted, and answers whether there was anything.
    fn take_in(&self, shared: &mut Shared) -> bool {
        let mut inbox = self.inbox();
        if inbox.arrivals.is_empty() {
            return false;
        }
        std::mem::swap(&mut inbox.arrivals, &mut shared.arrivals);
        inbox.keys.append(&mut shared.keys);
        if self.urgent.0.load(Ordering::Relaxed) {
            self.urgent.0.store(false, Ordering::Relaxed);
        }
        drop(inbox);
        let Shared { memory, arrivals, keys, .. } = shared;
        // As many keys as were used, for the next time.
        keys.extend(arrivals.iter().map(|_| memory.reserve()));
        arrivals.drain(..).for_each(|arrival| memory.accept(arrival));
        true
    }

    /// Lets so many runs execute at the same time from now on. Those that execute go on, also where they are more.
    pub(crate) fn resize(&self, size: Option<NonZeroUsize>) {
        let too_many = self.lock().workers.resize(size);
        too_many.into_iter().for_each(std::task::Waker::wake);
        self.call_workers(usize::MAX);
    }

    /// Forgets the runs that are not to be kept any more, and says when others will not be: that, or an end from now on and
    /// the time for which it is kept.
    pub(crate) fn sweep(&self, now: Timestamp) -> (Option<Timestamp>, Duration) {
        loop {
            let mut litter = Litter::default();
            let mut shared = self.lock();
            let more = shared.memory.sweep(now, &mut litter);
            let next = (shared.memory.next_sweep(), shared.memory.longest_kept());
            drop(shared);
            litter.drop();
            if !more {
                return next;
            }
        }
    }

    /// How long runs are kept after their end.
    pub(crate) fn retain(&self, retention: Retention) {
        self.lock().memory.retain(retention);
    }

    // Jobs.

    /// Makes a job known, with the type that stands for it. The same job may come again, with its type or, for
    /// a closure, with its name.
    pub(crate) fn bind_job(&self, info: JobInfo, type_id: Option<TypeId>) -> Result<JobIx, NameTaken> {
        let mut shared = self.lock();
        // Another thread may have been faster.
        if let Some(ix) = type_id.and_then(|type_id| self.find(|directory| directory.of_type(type_id))) {
            return Ok(ix);
        }
        let func = info.is_func.then(|| info.name.clone());
        let limits = info.limits.clone();
        let ix = shared.memory.bind_job(info)?;
        let directory = &mut self.inbox().directory;
        if let Some(type_id) = type_id {
            directory.add_type(type_id, ix);
        }
        if let Some(name) = func {
            directory.add_func(name, ix);
        }
        directory.set_limits(ix, &limits);
        Ok(ix)
    }

    /// Finds a job by what a submission says.
    pub(crate) fn find(&self, job: impl FnOnce(&Directory) -> Option<JobIx>) -> Option<JobIx> {
        job(&self.inbox().directory)
    }

    /// Reads the accounts of the jobs. Keep it short: the lock is the one that claims take.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&Memory) -> R) -> R {
        f(&self.lock().memory)
    }

    /// The same with the runs that workers execute.
    pub(crate) fn read_executed<R>(
        &self,
        f: impl FnOnce(&Memory, &mut dyn Iterator<Item = RunKey>) -> R,
    ) -> R {
        let shared = self.lock();
        f(&shared.memory, &mut shared.workers.executed().map(|(run, _)| run))
    }

    /// The same as [`read`](Self::read) for who holds a lock of their own: listeners are woken by whoever comes next.
    pub(crate) fn read_inside<R>(&self, f: impl FnOnce(&Memory) -> R) -> R {
        let mut shared = lock::take(&self.shared.0);
        self.take_in(&mut shared);
        f(&shared.memory)
    }

    /// Lets another config hold for a job: for what can change while it runs.
    pub(crate) fn update_job(&self, job: JobIx, info: &JobInfo) {
        let now = self.clock.now();
        let mut shared = self.lock();
        let known = &mut shared.memory.job_mut(job).info;
        known.attempts = info.attempts;
        known.enabled = info.enabled;
        shared.memory.set_overlap(job, info.overlap, now.wall);
        shared.memory.set_limits(job, &info.limits, now.elapsed);
        let refills = shared.memory.take_refills();
        shared.memory.set_place(job, &info.limits);
        // Before anything is submitted that its new place concerns.
        self.inbox().directory.set_limits(job, &info.limits);
        drop(shared);
        self.wait_for(refills);
        self.call_workers(usize::MAX);
    }

    /// Pauses a job or lets it go on, and answers whether it was paused before.
    pub(crate) fn set_paused(&self, job: JobIx, paused: bool) -> bool {
        let now = self.clock.now().wall;
        let mut shared = self.lock();
        shared.memory.mark_pauses();
        let since = &mut shared.memory.job_mut(job).paused_since;
        let before = *since;
        *since = paused.then(|| before.unwrap_or(now));
        before.is_some()
    }

    pub(crate) fn gauge(&self) -> Gauge {
        let shared = self.lock();
        let memory = &shared.memory;
        Gauge {
            size: shared.workers.limit(),
            running: memory.running(),
            queued: memory.queued(),
            live: memory.live(),
        }
    }

    // Queues.

    /// The queue of that name, made where it is new.
    pub(crate) fn queue(&self, name: &str) -> Result<QueueIx, TooManyQueues> {
        self.lock().memory.queue_named(name)
    }

    /// How many runs of a queue may execute at the same time.
    pub(crate) fn limit_queue(&self, queue: QueueIx, limit: Option<NonZeroUsize>) {
        self.lock().memory.limit_queue(queue, limit);
        self.call_workers(usize::MAX);
    }

    /// Claims no run of a queue, or does so again.
    pub(crate) fn pause_queue(&self, queue: QueueIx, paused: bool) -> bool {
        let before = {
            let mut shared = self.lock();
            shared.memory.mark_pauses();
            shared.memory.pause_queue(queue, paused)
        };
        self.call_workers(usize::MAX);
        before
    }

    // Runs.

    /// Tells the recorder of metrics how full the pool is.
    #[cfg(feature = "metrics")]
    fn measure(&self) {
        let (running, queued) = self.read(|memory| (memory.running(), memory.queued()));
        crate::hooks::metrics::pool(running, queued);
    }

    /// Makes delayed runs available, in the order in which they are due.
    pub(crate) fn release(&self, keys: &mut Vec<RunKey>) {
        if keys.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut shared = self.lock();
        if shared.closed {
            keys.clear();
            return;
        }
        keys.retain(|key| {
            if shared.memory.is_ticket(*key) {
                shared.memory.refill(*key, now.elapsed);
            }
            shared.memory.due(*key).is_some()
        });
        keys.sort_by_key(|key| shared.memory.due(*key));
        for key in keys.drain(..) {
            shared.memory.release(key);
        }
        let refills = shared.memory.take_refills();
        drop(shared);
        self.wait_for(refills);
        self.call_workers(usize::MAX);
        #[cfg(feature = "metrics")]
        self.measure();
    }

    /// Sets the timers of rates that are used up. It takes the lock of the timers, so not under that of the pool.
    fn wait_for(&self, refills: Vec<Refill>) {
        if let Some(release_after) = self.release_after.get() {
            refills.into_iter().for_each(|refill| release_after(refill.ticket, refill.after));
        }
    }

    /// Cancels a run, in whatever state. `false` when it has already ended.
    ///
    /// An async job is dropped where it awaits; a plain `fn` cannot be stopped and goes on.
    pub(crate) fn cancel(&self, key: RunKey) -> bool {
        let now = self.clock.now().wall;
        let mut shared = self.lock();
        match shared.memory.cancel(key, now) {
            Cancel::Gone => false,
            Cancel::Ended(ended) => {
                drop(shared);
                self.settle(ended);
                // Its successor may have become available.
                self.call_workers(1);
                #[cfg(feature = "metrics")]
                self.measure();
                true
            }
            Cancel::Running(worker) => {
                let told = shared.workers.stop(worker, Cancellation::Cancelled, now);
                drop(shared);
                told.wake();
                true
            }
        }
    }

    /// Tells whoever waits for the end of a run: a schedule that counts from there, and those who asked. Not under the
    /// lock.
    fn settle(&self, ended: Ended) {
        if let (Some(schedule), Some(run_ended)) = (ended.awaited_by, self.run_ended.get()) {
            run_ended(schedule);
        }
        ended.settle();
    }

    // Workers.

    /// Lets go of the lock and calls one worker, for one run that was queued under it.
    fn wake_one(&self, mut shared: Locked<'_>) {
        let Some(spawn) = self.spawn.get() else { return };
        if let Some(waker) = shared.workers.unpark() {
            drop(shared);
            waker.wake();
        } else if let Some((index, signals)) = shared.workers.hire() {
            drop(shared);
            spawn(self.worker(index, signals));
        }
    }

    /// Calls workers for the runs that wait, at most so many.
    fn call_workers(&self, most: usize) {
        for _ in 0..most {
            let shared = self.lock();
            if !shared.wants_worker() {
                return;
            }
            self.wake_one(shared);
        }
    }

    fn worker(&self, index: u32, signals: Arc<Signals>) -> Worker {
        let surroundings = self.surroundings.get().expect("invariant: an open pool has its surroundings");
        Worker::new(index, Arc::new(Surroundings { signals, ..surroundings.clone() }))
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
