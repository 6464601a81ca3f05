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
mod inbox;
mod lock;
mod trouble;
mod worker;
mod workers;

use std::any::TypeId;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::Duration;

use jobs_syntax::DEFAULT_QUEUE;
use tokio::sync::Notify;

use crate::clock::{Clock, Reading, Timestamp};
use crate::hooks::Hooks;
use crate::job::attempt::AttemptRecord;
use crate::job::body::Body;
use crate::job::context::Surroundings;
use crate::job::info::JobInfo;
use crate::job::notes::{Notes, Progress};
use crate::job::options::Origin;
use crate::job::output::Output;
use crate::job::run::{RunId, RunIds};
use crate::job::signals::{Cancellation, Signals};
use crate::store::memory::{
    Arrival, Cancel, Ended, Filter, Fired, Found, JobIx, Memory, NameTaken, Occasion, QueueIx, Refill,
    Retention, RunKey, RunOptions, Submitted, TooManyQueues, UniqueKey, Watch,
};
use crate::store::slab::Key;
use crate::telemetry::panics;

use backoff::Jitter;
pub(crate) use inbox::Directory;
use inbox::{Inbox, SUPPLY};
use lock::{Apart, Locked};
pub(crate) use worker::Worker;
use workers::{Told, Workers};

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
    ids: Arc<RunIds>,
    clock: Arc<Clock>,
    hooks: Arc<Hooks>,
    surroundings: OnceLock<Surroundings>,
    spawn: OnceLock<Spawn>,
    release_after: OnceLock<ReleaseAfter>,
    run_ended: OnceLock<RunEnded>,
    /// Told when the last run has ended after the pool was closed.
    drained: Notify,
}

struct Shared {
    memory: Memory,
    workers: Workers,
    /// Empty, to be exchanged for what has arrived.
    arrivals: Vec<Arrival>,
    /// Keys for the inbox.
    keys: VecDeque<RunKey>,
    jitter: Jitter,
    /// No run is accepted or claimed any more.
    closed: bool,
    /// No run waits for anything any more: what fails now is not tried again.
    drained: bool,
}

/// The pool does not accept runs any more.
#[derive(Debug)]
pub(crate) struct Closed;

/// A slot that has come, for [`Pool::fire`].
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) job: JobIx,
    pub(crate) occasion: Occasion,
    pub(crate) body: Body,
}

/// What became of the slots given to [`Pool::fire`], in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotFate {
    Ran,
    Skipped,
    Paused,
    Closed,
}

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
            keys: VecDeque::new(),
            jitter: Jitter::new(clock.entropy()),
            closed: false,
            drained: false,
        };
        Self {
            shared: Apart(Mutex::new(shared)),
            inbox: Apart::default(),
            idle,
            urgent: Apart::default(),
            ids,
            clock,
            hooks,
            surroundings: OnceLock::new(),
            spawn: OnceLock::new(),
            release_after: OnceLock::new(),
            run_ended: OnceLock::new(),
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
        let unique = info.limits.unique.is_some();
        let plain = info.limits.queue == DEFAULT_QUEUE && info.limits.priority == 0;
        let ix = shared.memory.bind_job(info)?;
        let directory = &mut self.inbox().directory;
        if let Some(type_id) = type_id {
            directory.add_type(type_id, ix);
        }
        if let Some(name) = func {
            directory.add_func(name, ix);
        }
        if !plain {
            directory.add_special(ix);
        }
        if unique {
            directory.add_unique(ix);
        }
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

    /// The same for who holds a lock of their own: listeners are woken by whoever comes next.
    pub(crate) fn read_inside<R>(&self, f: impl FnOnce(&Memory) -> R) -> R {
        let mut shared = lock::take(&self.shared.0);
        self.take_in(&mut shared);
        f(&shared.memory)
    }

    /// Lets another config hold for a job: for what can change while it runs.
    pub(crate) fn update_job(&self, job: JobIx, info: &JobInfo) {
        let now = self.clock.now().wall;
        let mut shared = self.lock();
        let known = &mut shared.memory.job_mut(job).info;
        known.attempts = info.attempts;
        known.enabled = info.enabled;
        shared.memory.set_overlap(job, info.overlap, now);
        drop(shared);
        self.call_workers(usize::MAX);
    }

    /// Pauses a job or lets it go on, and answers whether it was paused before.
    pub(crate) fn set_paused(&self, job: JobIx, paused: bool) -> bool {
        let now = self.clock.now().wall;
        let mut shared = self.lock();
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
        let before = self.lock().memory.pause_queue(queue, paused);
        self.call_workers(usize::MAX);
        before
    }

    // Runs.

    /// Queues a run. `job` finds the job under the same lock.
    pub(crate) fn submit(
        &self,
        job: impl Fn(&Directory) -> Option<JobIx>,
        body: Body,
        origin: Origin,
        options: RunOptions,
    ) -> Result<Result<(RunId, RunKey), Body>, Closed> {
        let now = self.clock.now().wall;
        let (id, key) = loop {
            let mut inbox = self.inbox();
            if inbox.closed {
                return Err(Closed);
            }
            let Some(job) = job(&inbox.directory) else { return Ok(Err(body)) };
            if let Some(key) = inbox.keys.pop_front() {
                let id = self.ids.next(now);
                if !inbox.directory.is_plain(job, &options) {
                    self.urgent.0.store(true, Ordering::Relaxed);
                }
                inbox.arrivals.push(Arrival { id, key, job, body, origin, options, now });
                break (id, key);
            }
            drop(inbox);
            self.supply();
        };
        // A worker that finds nothing says that it is idle before it looks here for the last time. So either it has found
        // this run, or it is seen here.
        // Who listens does not wait for a worker to look.
        if self.idle.0.load(Ordering::Relaxed) || self.hooks.bus.is_heard() {
            let shared = self.lock();
            if shared.wants_worker() {
                self.wake_one(shared);
            }
        }
        #[cfg(feature = "metrics")]
        self.measure();
        Ok(Ok((id, key)))
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

    /// Tells the recorder of metrics how full the pool is.
    #[cfg(feature = "metrics")]
    fn measure(&self) {
        let (running, queued) = self.read(|memory| (memory.running(), memory.queued()));
        crate::hooks::metrics::pool(running, queued);
    }

    /// Gives the inbox keys for submissions.
    fn supply(&self) {
        let mut shared = self.lock();
        let Shared { memory, keys, .. } = &mut *shared;
        keys.resize_with(SUPPLY, || memory.reserve());
        self.inbox().keys.append(keys);
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

    /// Slots have come: makes their runs. The lock is let go now and then, so that a burst of slots does not keep
    /// finished runs waiting.
    pub(crate) fn fire(&self, firings: &mut Vec<Firing>, now: Reading, fates: &mut Vec<SlotFate>) {
        const AT_A_TIME: usize = 64;
        let mut stop = Vec::new();
        let mut ended: Vec<Ended> = Vec::new();
        // May hold the last of a value of the user's, which is not to be dropped under the lock.
        let mut unused = Vec::new();
        let mut firings = firings.drain(..).peekable();
        while firings.peek().is_some() {
            let mut shared = self.lock();
            for firing in firings.by_ref().take(AT_A_TIME) {
                if shared.closed {
                    fates.push(SlotFate::Closed);
                    unused.push(firing.body);
                    continue;
                }
                let job = shared.memory.job(firing.job);
                if job.paused_since.is_some() || !job.info.enabled {
                    fates.push(SlotFate::Paused);
                    unused.push(firing.body);
                    continue;
                }
                fates.push(match shared.memory.fire(firing.job, firing.occasion, firing.body, now.wall) {
                    Fired::Queued | Fired::Waiting => SlotFate::Ran,
                    Fired::Skipped(body) => {
                        unused.push(body);
                        SlotFate::Skipped
                    }
                    Fired::Cancelling(cancelling) => {
                        ended.extend(cancelling.ended);
                        for worker in cancelling.workers {
                            stop.push(shared.workers.stop(worker, Cancellation::Cancelled, now.wall));
                        }
                        SlotFate::Ran
                    }
                });
            }
            drop(shared);
            self.call_workers(AT_A_TIME);
        }
        stop.into_iter().for_each(Told::wake);
        ended.into_iter().for_each(|ended| self.settle(ended));
        for body in unused {
            let _ = panics::catch(|| drop(body));
        }
        #[cfg(feature = "metrics")]
        self.measure();
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

    /// The outcome of a run, now or later.
    pub(crate) fn watch(&self, key: RunKey) -> Watch {
        self.lock().memory.watch(key)
    }

    /// The attempts of a run that are over.
    pub(crate) fn attempts(&self, key: RunKey) -> Vec<AttemptRecord> {
        self.lock().memory.attempts(key)
    }

    /// The key of a run, live or kept.
    pub(crate) fn key_of(&self, id: RunId) -> Option<RunKey> {
        self.lock().memory.key_of(id)
    }

    /// What is known of a run.
    pub(crate) fn found(&self, key: RunKey) -> Option<Found> {
        let mut shared = self.lock();
        let mut found = shared.memory.found(key)?;
        shared.add_laid(&mut found);
        Some(found)
    }

    /// Looks at some runs, as [`Memory::look_through`].
    pub(crate) fn look_through(
        &self,
        filter: &Filter,
        before: Option<RunId>,
        count: usize,
    ) -> (Vec<Found>, Option<RunId>) {
        let mut shared = self.lock();
        let (mut found, next) = shared.memory.look_through(filter, before, count);
        found.iter_mut().for_each(|found| shared.add_laid(found));
        (found, next)
    }

    /// The runs of a job made before one, or all of them, the youngest first. It takes the lock for a part at a time.
    pub(crate) fn runs_of(&self, job: JobIx, before: Option<RunId>) -> Vec<(RunId, RunKey)> {
        let (mut keys, mut live) = self.lock().memory.ended_of(job);
        let mut next = None;
        while live > 0 {
            let (found, then) = self.lock().memory.live_among(job, next);
            live = live.saturating_sub(found.len());
            keys.extend(found);
            next = then;
            if next.is_none() {
                break;
            }
        }
        let mut runs = Vec::with_capacity(keys.len());
        for part in keys.chunks(512) {
            let shared = self.lock();
            runs.extend(part.iter().filter_map(|key| shared.memory.id_of(*key).map(|id| (id, *key))));
        }
        runs.retain(|(id, _)| before.is_none_or(|before| *id < before));
        runs.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        // One that has ended meanwhile was found twice.
        runs.dedup_by_key(|(id, _)| *id);
        runs
    }

    /// At most so many of the next of some runs that are wanted.
    pub(crate) fn look_at(
        &self,
        filter: &Filter,
        keys: &mut impl Iterator<Item = RunKey>,
        most: usize,
    ) -> Vec<Found> {
        let mut shared = self.lock();
        let mut found = shared.memory.look_at(filter, keys, most);
        found.iter_mut().for_each(|found| shared.add_laid(found));
        found
    }

    /// How far a run is, or was at its end.
    pub(crate) fn progress(&self, key: RunKey) -> Option<Progress> {
        let shared = self.lock();
        let said = |(worker, _)| shared.workers.laid(worker, |laid| laid.notes.progress).flatten();
        let now = shared.memory.worker(key).and_then(said);
        now.or_else(|| shared.memory.notes(key).and_then(|notes| notes.progress))
    }

    /// What the attempts of a run have left for others to read.
    pub(crate) fn notes(&self, key: RunKey) -> Notes {
        let shared = self.lock();
        let mut notes = shared.memory.notes(key).cloned().unwrap_or_default();
        if let Some((worker, attempt)) = shared.memory.worker(key)
            && let Some(laid) = shared.workers.laid(worker, |laid| laid.notes.clone())
        {
            notes.append(laid, attempt);
        }
        notes
    }

    /// What a run has given.
    pub(crate) fn output(&self, key: RunKey) -> Option<Output> {
        self.lock().memory.notes(key).and_then(|notes| notes.output.clone())
    }

    /// Makes a delayed run pretend to be another attempt, or one for a slot.
    #[cfg(feature = "testing")]
    pub(crate) fn preset(&self, key: RunKey, attempt: u32, slot: Option<Timestamp>) {
        self.lock().memory.preset(key, attempt, slot);
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

    // Shutdown.

    /// Accepts and claims nothing any more. What runs goes on.
    pub(crate) fn close(&self) {
        // First, so that nothing arrives after what is taken in here.
        self.inbox().closed = true;
        let mut shared = self.lock();
        shared.closed = true;
        let parked = shared.workers.unpark_all();
        drop(shared);
        parked.into_iter().for_each(Waker::wake);
        self.drained.notify_waiters();
    }

    /// Completes when nothing runs any more, or nothing but plain functions, and of every failure was told.
    pub(crate) async fn drained(&self, but_blocking: bool) {
        loop {
            let notified = self.drained.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            if !self.lock().workers.is_busy(but_blocking) {
                return;
            }
            notified.await;
        }
    }

    /// Stops every async run where it awaits and answers how many; plain functions are asked to return. To be followed
    /// by [`drained`](Self::drained).
    pub(crate) fn interrupt(&self) -> usize {
        let now = self.clock.now().wall;
        let (count, told) = self.lock().workers.stop_all(Cancellation::Interrupted, now);
        told.into_iter().for_each(Told::wake);
        count
    }

    /// How many workers execute a run; with `but_blocking`, not counting plain functions.
    pub(crate) fn executing(&self, but_blocking: bool) -> usize {
        self.lock().workers.executing(but_blocking)
    }

    /// Ends every run that does not execute, and answers how many there were.
    pub(crate) fn drain(&self) -> usize {
        let now = self.clock.now().wall;
        let ended = {
            let mut shared = self.lock();
            shared.drained = true;
            shared.memory.drain(now)
        };
        let count = ended.len();
        ended.into_iter().for_each(|ended| self.settle(ended));
        count
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
