//! The store in memory: the states of runs as a plain state machine, without a lock, a clock or a task.
//!
//! ```text
//!  submit ──────────────► available ──claim──► running ──finish──► ended, with its outcome
//!  delay ──► scheduled ──────┘ ▲                │ │
//!               ▲              │                │ └─ cancel: the worker is told, then finish
//!               └─── retry ────┼────────────────┘
//!  fire ───► waiting ──────────┘ predecessor ends
//!     └────► skipped
//! ```
//!
//! A run that has ended stays where it is until it is forgotten, so that its outcome can be asked for afterwards. Whoever
//! waits for an outcome is told by the caller, who also drops the values that come out: dropping may call code of the
//! user and must happen outside the lock.

mod by_id;
#[cfg(feature = "postgres")]
mod claimed;
mod details;
mod ending;
mod history;
mod job;
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only a durable store asks"))]
mod journal;
mod lanes;
mod left;
mod limits;
mod live;
mod order;
mod overlap;
#[cfg(feature = "web")]
mod pace;
mod queues;
mod records;
mod run;
mod sweep;
mod unique;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use jobs_syntax::Overlap;
use tokio::sync::oneshot;

use super::journal::Journal;
use super::slab::{Key, Slab};
use crate::clock::Timestamp;
use crate::hooks::bus::Bus;
use crate::hooks::{Event, RunChange, RunEvent};
use crate::job::attempt::AttemptRecord;
use crate::job::body::Body;
use crate::job::info::JobInfo;
use crate::job::name::JobName;
use crate::job::notes::Notes;
use crate::job::options::Origin;
use crate::job::run::{Outcome, RunId, RunIds};
use crate::telemetry::panics;
use by_id::ById;
#[cfg(feature = "postgres")]
pub(crate) use claimed::{Became, ClaimResult, ClaimedRun, Left};
use details::Details;
pub(crate) use history::Retention;
pub(crate) use job::{JobState, Previous};
#[cfg_attr(not(feature = "sqlite"), allow(unused_imports, reason = "only a durable store asks"))]
pub(crate) use journal::Restored;
use lanes::{LaneId, Lanes, Seq};
pub(crate) use left::{Cancel, Cancelling, Ended, Fired, Litter, Watch};
use limits::Limits;
pub(crate) use live::{HeldBack, Life, LiveRun};
pub(crate) use order::{Backlog, Refill};
#[cfg(feature = "web")]
pub(crate) use pace::{MINUTES, Minute};
use queues::Queues;
pub(crate) use queues::{QueueIx, TooManyQueues};
pub(crate) use records::{Filter, Found};
pub(crate) use run::{Arrival, Claim, Occasion, RunOptions};
use run::{NewRun, Run, State};
use unique::Uniques;
pub(crate) use unique::{Submitted, UniqueKey};

/// The place of a job among those of its instance. Jobs are never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobIx(u32);

#[cfg(feature = "web")]
impl JobIx {
    /// How many came before it.
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

/// The place of a live run.
pub(crate) type RunKey = Key;

/// A name that two different jobs want.
#[derive(Debug)]
pub(crate) struct NameTaken;

#[derive(Debug)]
pub(crate) struct Memory {
    jobs: Vec<JobState>,
    by_name: HashMap<JobName, JobIx>,
    /// Those that are live and those that are kept.
    runs: Slab<Run>,
    live: usize,
    by_id: ById,
    retention: Retention,
    /// Jobs of which several runs are kept, by an end that is not after that of the first of them.
    aging: BinaryHeap<Reverse<(Timestamp, JobIx)>>,
    /// Bytes of text in runs that are kept.
    text: usize,
    queues: Queues,
    /// Available runs.
    lanes: Lanes,
    /// How many jobs have limits.
    limited: usize,
    /// Jobs by what the timers of their rates are known by.
    tickets: HashMap<RunKey, JobIx>,
    refills: Vec<Refill>,
    queued: usize,
    running: usize,
    waiters: HashMap<RunKey, Vec<oneshot::Sender<Outcome>>>,
    uniques: Uniques,
    #[cfg(feature = "web")]
    pace: pace::Pace,
    ids: Arc<RunIds>,
    /// What becomes of runs is told here.
    bus: Bus,
    /// What is to outlive the process is marked here.
    journal: Option<Journal>,
    /// Whoever decides about claims heeds the limits of jobs.
    limits_elsewhere: bool,
    #[cfg(feature = "postgres")]
    gone_back: claimed::GoneBack,
}

impl Memory {
    pub(crate) fn new(entropy: u64) -> Self {
        Self {
            jobs: Vec::new(),
            by_name: HashMap::new(),
            runs: Slab::new(),
            live: 0,
            by_id: ById::default(),
            retention: Retention::default(),
            aging: BinaryHeap::new(),
            text: 0,
            queues: Queues::default(),
            lanes: Lanes::default(),
            limited: 0,
            tickets: HashMap::new(),
            refills: Vec::new(),
            queued: 0,
            running: 0,
            waiters: HashMap::new(),
            uniques: Uniques::default(),
            #[cfg(feature = "web")]
            pace: pace::Pace::default(),
            ids: Arc::new(RunIds::new(entropy)),
            bus: Bus::default(),
            journal: None,
            limits_elsewhere: false,
            #[cfg(feature = "postgres")]
            gone_back: claimed::GoneBack::default(),
        }
    }

    /// Where the identities of runs come from, for those that are made before they are accepted.
    pub(crate) fn ids(&self) -> Arc<RunIds> {
        Arc::clone(&self.ids)
    }

    /// What has started and ended in each minute of the last hour.
    #[cfg(feature = "web")]
    pub(crate) fn last_hour(&self, now: Timestamp) -> [Minute; MINUTES] {
        self.pace.last(now)
    }

    /// How long runs are kept from now on. What is not to be kept any more is to be [swept](Self::sweep) out.
    pub(crate) fn retain(&mut self, retention: Retention) {
        self.retention = retention;
        self.look_at_all();
    }

    /// Tells what becomes of runs there.
    pub(crate) fn tell_to(&mut self, bus: Bus) {
        self.bus = bus;
    }

    // Jobs.

    /// The job of that name, made known where it is new. A name that a different job has is refused.
    pub(crate) fn bind_job(&mut self, info: JobInfo) -> Result<JobIx, NameTaken> {
        if let Some(ix) = self.job_named(&info.name) {
            return if self.job(ix).info.is_same_job(&info) { Ok(ix) } else { Err(NameTaken) };
        }
        let ix =
            JobIx(u32::try_from(self.jobs.len()).expect("invariant: memory ends before four billion jobs"));
        self.by_name.insert(info.name.clone(), ix);
        let queue = self.queues.named(&info.limits.queue);
        let queue = queue.expect("invariant: no 65 000 jobs with a queue each are linked");
        let threaded = info.descriptor.is_some_and(|descriptor| descriptor.blocking);
        let lane = LaneId::new(queue, info.limits.priority).threaded(threaded);
        let mut limits = Limits::new(&info.limits).filter(|_| !self.limits_elsewhere).map(Box::new);
        if let Some(limits) = &mut limits {
            self.limited += 1;
            if limits.has_rate() {
                let ticket = self.runs.reserve();
                limits.ticket = Some(ticket);
                self.tickets.insert(ticket, ix);
            }
        }
        self.jobs.push(JobState {
            info,
            paused_since: None,
            running: 0,
            available: 0,
            scheduled: 0,
            delayed: None,
            retrying: 0,
            lane,
            limits,
            slot_live: 0,
            waiting: None,
            previous: None,
            ended: None,
            cancellable: None,
        });
        Ok(ix)
    }

    pub(crate) fn job_named(&self, name: &str) -> Option<JobIx> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn job(&self, ix: JobIx) -> &JobState {
        &self.jobs[ix.0 as usize]
    }

    pub(crate) fn job_mut(&mut self, ix: JobIx) -> &mut JobState {
        &mut self.jobs[ix.0 as usize]
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = (JobIx, &JobState)> {
        self.jobs.iter().enumerate().map(|(index, job)| (JobIx(index as u32), job))
    }

    // Counts.

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// Runs that have not ended, in whatever state.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    // Runs.

    /// A run that may start at once.
    #[cfg(test)]
    fn submit(&mut self, job: JobIx, body: Body, origin: Origin, now: Timestamp) -> (RunId, RunKey) {
        let (id, key) = (self.ids.next(now), self.reserve());
        self.accept(Arrival { id, key, job, body, origin, options: RunOptions::default(), now });
        (id, key)
    }

    /// Keys for runs that are accepted later.
    pub(crate) fn reserve(&mut self) -> RunKey {
        self.runs.reserve()
    }

    /// A run that may start at once, and that has its identity and key already.
    pub(crate) fn accept(&mut self, arrival: Arrival) {
        let Arrival { id, key, job, body, origin, options, now } = arrival;
        let state = State::Available { since: now };
        let (lane, seq) =
            self.add_run_as(id, key, NewRun { job, occasion: None, origin, state, body, options }, now);
        self.line_up(job, lane, seq, key);
    }

    /// A run with the work of one that has ended.
    pub(crate) fn submit_again(
        &mut self,
        job: JobIx,
        body: Body,
        of: RunId,
        now: Timestamp,
    ) -> (RunId, RunKey) {
        let (id, key) = (self.ids.next(now), self.reserve());
        // In the place of the old one.
        let lane = self.key_of(of).and_then(|key| self.runs.get(key)).map(|run| run.lane);
        let options = RunOptions {
            queue: lane.map(LaneId::queue),
            priority: lane.map(LaneId::priority),
            ..RunOptions::default()
        };
        self.accept(Arrival { id, key, job, body, origin: Origin::Submission, options, now });
        if let Some(run) = self.runs.get_mut(key) {
            run.details.set_retry_of(of);
        }
        (id, key)
    }

    /// A run that may start at `due`.
    pub(crate) fn delay(
        &mut self,
        job: JobIx,
        body: Body,
        options: RunOptions,
        due: Timestamp,
        now: Timestamp,
    ) -> (RunId, RunKey) {
        let (origin, state) = (Origin::Submission, State::Scheduled { due });
        let (id, key) = self.add_run(NewRun { job, occasion: None, origin, state, body, options }, now);
        self.job_mut(job).delayed(key);
        (id, key)
    }

    /// When a delayed run is due; none when it is not delayed any more.
    pub(crate) fn due(&self, key: RunKey) -> Option<(Timestamp, RunId)> {
        match self.runs.get(key) {
            Some(Run { state: State::Scheduled { due }, id, .. }) => Some((*due, *id)),
            _ => None,
        }
    }

    /// Makes a delayed run available. `false` when it has been cancelled meanwhile.
    pub(crate) fn release(&mut self, key: RunKey) -> bool {
        let Some(run) = self.runs.get_mut(key) else { return false };
        let State::Scheduled { due } = run.state else { return false };
        let (ix, retrying) = (run.job, run.is_retried());
        let job = self.job_mut(ix);
        job.undelayed(key);
        job.retrying -= u32::from(retrying);
        self.make_available(key, due);
        true
    }

    /// Makes a run that has not started pretend to be another attempt than its first, or one for a slot.
    #[cfg(feature = "testing")]
    pub(crate) fn preset(&mut self, key: RunKey, attempt: u32, slot: Option<Timestamp>) {
        let Some(run) = self.runs.get_mut(key) else { return };
        let was_tried = run.attempt > 0;
        run.attempt = attempt.saturating_sub(1);
        let retrying = !was_tried && run.attempt > 0 && matches!(run.state, State::Scheduled { .. });
        let for_slot = slot.is_some() && run.slot.is_none();
        if for_slot {
            run.slot = slot.map(crate::job::slot::Slot::at);
        }
        let job = run.job;
        let job = self.job_mut(job);
        job.retrying += u32::from(retrying);
        job.slot_live += u32::from(for_slot);
    }

    /// Which run executes, and when its time is up.
    pub(crate) fn deadline(&self, key: RunKey) -> Option<(&JobName, RunId, Option<Timestamp>)> {
        let run = self.runs.get(key)?;
        let info = &self.job(run.job).info;
        let deadline = match run.state {
            State::Running { started, .. } => {
                info.attempts.timeout.map(|timeout| started.saturating_add(timeout))
            }
            _ => None,
        };
        Some((&info.name, run.id, deadline))
    }

    /// An attempt of a run that executes has left something.
    pub(crate) fn note(&mut self, key: RunKey, notes: Notes) {
        if let Some(run) = self.runs.get_mut(key) {
            run.details.add_notes(notes, run.attempt);
        }
    }

    /// What the attempts of a run have left that are over.
    pub(crate) fn notes(&self, key: RunKey) -> Option<&Notes> {
        self.runs.get(key)?.details.notes()
    }

    /// Which worker executes a run, and which attempt of it.
    pub(crate) fn worker(&self, key: RunKey) -> Option<(u32, u32)> {
        let run = self.runs.get(key)?;
        match run.state {
            State::Running { worker, .. } => Some((worker, run.attempt)),
            _ => None,
        }
    }

    /// The attempts of a run that are over, the oldest first; none when the run is not kept any more.
    pub(crate) fn attempts(&self, key: RunKey) -> Vec<AttemptRecord> {
        let Some(run) = self.runs.get(key) else { return Vec::new() };
        let mut attempts = run.details.failures().to_vec();
        if let State::Ended { started, finished } = run.state
            && run.details.outcome().is_success()
        {
            let outcome = Outcome::Succeeded;
            let number = run.attempt;
            attempts.push(AttemptRecord { number, started, finished, outcome, trace: None });
        }
        attempts
    }

    /// Ends a run that has not started, or names the worker that executes it.
    pub(crate) fn cancel(&mut self, key: RunKey, now: Timestamp) -> Cancel {
        match self.runs.get(key).map(|run| run.state) {
            None | Some(State::Ended { .. }) => Cancel::Gone,
            Some(State::Running { worker, .. }) => Cancel::Running(worker),
            Some(_) => self.end_unstarted(key, Outcome::Cancelled, now).map_or(Cancel::Gone, Cancel::Ended),
        }
    }

    /// Ends every run that does not execute, at shutdown. Those that outlive the process are cut off, the others lost.
    pub(crate) fn drain(&mut self, now: Timestamp) -> Vec<Ended> {
        // Successors of runs that are ended here must not be promoted but end as well.
        for job in &mut self.jobs {
            job.waiting = None;
        }
        let unstarted = |run: &Run| run.is_live() && !matches!(run.state, State::Running { .. });
        let keys: Vec<_> = self.runs.iter().filter(|(_, run)| unstarted(run)).map(|(key, _)| key).collect();
        let end = |key| {
            let is_kept = self.journal.is_some() && self.runs.get(key).is_some_and(|run| self.outlives(run));
            let outcome = if is_kept { Outcome::Interrupted } else { Outcome::Lost };
            self.end_unstarted(key, outcome, now)
        };
        keys.into_iter().filter_map(end).collect()
    }

    /// Ends a run that has not started, and leaves one that has.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only a durable store asks"))]
    pub(crate) fn cancel_unstarted(&mut self, key: RunKey, now: Timestamp) -> Option<Ended> {
        let run = self.runs.get(key).filter(|run| run.is_live() && run.attempt == 0)?;
        if matches!(run.state, State::Running { .. }) {
            return None;
        }
        self.end_unstarted(key, Outcome::Cancelled, now)
    }

    /// The outcome of a run: as it was, or to be told.
    pub(crate) fn watch(&mut self, key: RunKey) -> Watch {
        let Some(run) = self.runs.get(key) else { return Watch::Gone };
        if run.is_live() {
            let (sender, receiver) = oneshot::channel();
            let waiters = self.waiters.entry(key).or_default();
            if waiters.len() == waiters.capacity() {
                // Those that have stopped waiting make room before more is made, so that asking again and again with
                // a time limit does not pile up.
                waiters.retain(|waiter| !waiter.is_closed());
            }
            waiters.push(sender);
            return Watch::Pending(receiver);
        }
        Watch::Ended(run.details.outcome())
    }

    fn waiters_of(&mut self, key: RunKey) -> Option<Vec<oneshot::Sender<Outcome>>> {
        if self.waiters.is_empty() { None } else { self.waiters.remove(&key) }
    }

    #[inline(never)]
    fn add_run(&mut self, run: NewRun, now: Timestamp) -> (RunId, RunKey) {
        let (id, key) = (self.ids.next(now), self.reserve());
        self.add_run_as(id, key, run, now);
        (id, key)
    }

    /// Answers where the run will wait, for one that is [to be lined up](Self::line_up).
    // Inlined, so that what was submitted is put together where it stays; else it is copied three times on its way there.
    #[inline(always)]
    fn add_run_as(&mut self, id: RunId, key: RunKey, run: NewRun, now: Timestamp) -> (LaneId, Seq) {
        let NewRun { job, occasion, origin, state, body, options } = run;
        let (slot, schedule) =
            occasion.map_or((None, None), |occasion| (Some(occasion.slot), occasion.schedule));
        let is_awaited = occasion.is_some_and(|occasion| occasion.is_awaited);
        let account = self.job_mut(job);
        let retries = options.retries.unwrap_or_else(|| account.info.attempts.retries(origin));
        let lane = match options {
            RunOptions { queue: None, priority: None, .. } => account.lane,
            RunOptions { queue, priority, .. } => LaneId::new(
                queue.unwrap_or(account.lane.queue()),
                priority.unwrap_or(account.lane.priority()),
            )
            .threaded(account.lane.is_threaded()),
        };
        if slot.is_some() {
            account.slot_live += 1;
            if account.info.overlap == Overlap::CancelOther {
                account.cancellable.get_or_insert_default().push(key);
            }
        }
        let mut details = Details::default();
        let (body, arguments) = body.into_parts();
        if let Some(arguments) = arguments {
            details.set_arguments(arguments);
        }
        let seq = if let State::Available { .. } = state { self.lanes.next() } else { 0 };
        let run = Run {
            id,
            job,
            slot,
            schedule,
            is_awaited,
            origin,
            state,
            attempt: 0,
            retries,
            lane,
            seq,
            body: Some(body),
            is_marked: false,
            details,
        };
        let known = self.runs.len();
        self.runs.fill(key, run);
        self.live += 1;
        self.by_id.push(id, key, known, |key| self.runs.get(key).is_some());
        self.tell(key, now, |_| {
            let due = if let State::Scheduled { due } = state { Some(due.to_chrono()) } else { None };
            RunChange::Submitted { due }
        });
        (lane, seq)
    }

    /// Tells what happens to a run, where somebody listens, and marks it as changed, where that is written down.
    // Inlined, since mostly nobody listens and nothing is written down: what is left of it then are two looks.
    #[inline(always)]
    fn tell(&mut self, key: RunKey, now: Timestamp, what: impl FnOnce(&Run) -> RunChange) {
        if self.journal.is_some() {
            self.mark(key);
        }
        self.bus.put(|| {
            let run = self.runs.get(key).expect("invariant: what is told of is there");
            Event::Run(RunEvent {
                at: now.to_chrono(),
                job: self.job(run.job).info.name.to_string(),
                run: run.id,
                slot: run.slot.map(|slot| slot.at.to_chrono()),
                attempt: run.attempt,
                what: what(run),
            })
        });
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Values of the user's are kept with their runs, and one that panics must not take the program with it.
        for body in self.runs.iter_mut().filter_map(|(_, run)| run.body.take()) {
            let _ = panics::catch(|| drop(body));
        }
    }
}

#[cfg(test)]
mod tests;
