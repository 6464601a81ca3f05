//! From available to running and back: who is next, and what limits hold back.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::lanes::{Claimable, LaneId, Seq};
use super::limits::Limits;
use super::queues::{Queue, QueueIx, TooManyQueues};
use super::{Claim, JobIx, Memory, RunKey, State};
use crate::clock::{Elapsed, Reading, Timestamp};
use crate::hooks::RunChange;
use crate::job::name::JobName;
use crate::job::options::Limits as Options;

/// A job whose rate is used up: [`Memory::refill`] is to be called with the ticket when so much time has passed.
#[derive(Debug)]
pub(crate) struct Refill {
    pub(crate) ticket: RunKey,
    pub(crate) after: Duration,
}

/// Runs that wait for room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Since when the first of them waits.
    pub(crate) since: Timestamp,
    pub(crate) waiting: usize,
    /// The queue that is full; none where it is the pool.
    pub(crate) queue: Option<JobName>,
}

/// What waits in a queue.
#[derive(Debug)]
pub(crate) struct QueueState<'a> {
    pub(crate) queue: &'a Queue,
    /// Since when the run is available that has been for longest.
    pub(crate) oldest: Option<Timestamp>,
}

impl Memory {
    // Queues.

    /// The queue of that name, made where it is new.
    pub(crate) fn queue_named(&mut self, name: &str) -> Result<QueueIx, TooManyQueues> {
        self.queues.named(name)
    }

    /// The queue of that name, if there is one.
    pub(crate) fn find_queue(&self, name: &str) -> Option<QueueIx> {
        self.queues.find(name)
    }

    /// How many runs of a queue may execute at the same time; none is limited by the pool only.
    pub(crate) fn limit_queue(&mut self, queue: QueueIx, limit: Option<NonZeroUsize>) {
        self.queues.limit(queue, limit);
    }

    /// Claims no run of a queue, or does so again. Answers whether the queue was paused.
    pub(crate) fn pause_queue(&mut self, queue: QueueIx, paused: bool) -> bool {
        self.queues.pause(queue, paused)
    }

    /// Every queue, in the order in which they became known.
    pub(crate) fn queues(&self) -> impl Iterator<Item = QueueState<'_>> {
        let mut oldest: Vec<Option<Timestamp>> = self.queues.iter().map(|_| None).collect();
        let heads = self.lanes.heads(|key| self.available_since(key).is_some());
        let held = self.jobs.iter().filter_map(|job| job.limits.as_ref()).flat_map(|limits| limits.heads());
        for (lane, key) in heads.chain(held) {
            if let Some(since) = self.available_since(key) {
                let oldest = &mut oldest[lane.queue().index()];
                *oldest = Some(oldest.map_or(since, |other| other.min(since)));
            }
        }
        self.queues.iter().zip(oldest).map(|((_, queue), oldest)| QueueState { queue, oldest })
    }

    /// The name of a queue.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn queue_name(&self, queue: QueueIx) -> &crate::job::name::JobName {
        self.queues.name(queue)
    }

    /// The queues that have limits of their own.
    #[cfg(feature = "postgres")]
    pub(crate) fn limited_queues(&self) -> impl Iterator<Item = &super::queues::Queue> {
        self.queues.iter().map(|(_, queue)| queue).filter(|queue| queue.limit.is_some())
    }

    /// How many runs wait for a place of the pool, and not for one of their queue.
    #[cfg(feature = "postgres")]
    pub(crate) fn fitting(&self) -> usize {
        self.queues.fitting()
    }

    // Claims.

    /// How many runs a worker would be given now, so that more need not be called. It may be too many by some that hold
    /// each other back.
    pub(crate) fn claimable(&self) -> usize {
        self.queues.claimable()
    }

    /// Whether a run that comes now to the lane where nothing is said is claimed after all others.
    pub(crate) fn is_plain(&self) -> bool {
        self.lanes.is_plain()
    }

    /// Whether one claim, or one end, may make room for several.
    pub(crate) fn is_restricted(&self) -> bool {
        self.queues.is_restricted() || self.limited > 0
    }

    /// Gives the run whose turn it is to a worker: in the place of what that has claimed before, for a claim is large.
    /// `false` when there is none.
    pub(crate) fn claim_into(&mut self, place: &mut Option<Claim>, worker: u32, now: Reading) -> bool {
        let Some((key, since)) = self.take_next(worker, now) else { return false };
        let Some(run) = self.runs.get_mut(key) else { return false };
        let info = &self.jobs[run.job.0 as usize].info;
        *place = None;
        // As the place is known to be empty, the claim is made where it stays.
        *place = Some(Claim {
            key,
            id: run.id,
            job: info.name.clone(),
            queue: self.queues.name(run.lane.queue()).clone(),
            slot: run.slot,
            started: now.wall,
            available: since,
            body: run.body.take(),
            blocking: info.descriptor.is_some_and(|descriptor| descriptor.blocking),
            attempt: run.attempt,
            retries: run.retries,
            timeout: info.attempts.timeout,
        });
        true
    }

    #[cfg(test)]
    pub(crate) fn claim(&mut self, worker: u32, now: Reading) -> Option<Claim> {
        let mut place = None;
        self.claim_into(&mut place, worker, now);
        place
    }

    /// Lets the run begin whose turn it is, and says since when it was available.
    #[inline]
    fn take_next(&mut self, worker: u32, now: Reading) -> Option<(RunKey, Timestamp)> {
        let (queues, runs, lanes) = (&self.queues, &mut self.runs, &mut self.lanes);
        let (claimable, run, since) = loop {
            let is_available =
                |key| runs.get(key).is_some_and(|run| matches!(run.state, State::Available { .. }));
            let claimable = lanes.take(|lane| queues.is_open(lane), is_available)?;
            let key = claimable.key;
            // Others were cancelled.
            if let Some(State::Available { since }) = runs.get(key).map(|run| run.state) {
                break (claimable, runs.get_mut(key)?, since);
            }
        };
        lanes.claimed();
        let Claimable { key, lane, limited, .. } = claimable;
        self.queues.claimed(lane);
        self.queued -= 1;
        self.running += 1;
        run.state = State::Running { worker, started: now.wall };
        run.attempt = run.attempt.saturating_add(1);
        let (job, retries) = (run.job, run.retries);
        let state = &mut self.jobs[job.0 as usize];
        state.available -= 1;
        state.running += 1;
        if limited {
            self.limited_started(job, lane, now.elapsed);
        }
        #[cfg(feature = "web")]
        self.pace.started(now.wall, now.wall.since(since));
        self.tell(key, now.wall, |_| RunChange::Started { of: retries.saturating_add(1) });
        Some((key, since))
    }

    fn available_since(&self, key: RunKey) -> Option<Timestamp> {
        match self.runs.get(key)?.state {
            State::Available { since } => Some(since),
            _ => None,
        }
    }

    /// Where runs wait that lack nothing but room: in queues that are full, and for the pool.
    pub(crate) fn backlogs(&self) -> Vec<Backlog> {
        let mut oldest: BTreeMap<QueueIx, Timestamp> = BTreeMap::new();
        let heads = self.lanes.heads(|key| self.available_since(key).is_some());
        for (lane, key) in heads.filter(|(lane, _)| !self.queues.is_paused(lane.queue())) {
            if let Some(since) = self.available_since(key) {
                let oldest = oldest.entry(lane.queue()).or_insert(since);
                *oldest = since.min(*oldest);
            }
        }
        let mut backlogs: Vec<Backlog> = Vec::new();
        for (ix, since) in oldest {
            let queue = self.queues.get(ix);
            let full = queue.is_full().then(|| queue.name.clone());
            match backlogs.iter_mut().find(|other| full.is_none() && other.queue.is_none()) {
                Some(pool) => {
                    pool.since = pool.since.min(since);
                    pool.waiting += queue.waiting;
                }
                None => backlogs.push(Backlog { since, waiting: queue.waiting, queue: full }),
            }
        }
        backlogs
    }

    /// The turn of a run has come to wait for its turn.
    pub(super) fn make_available(&mut self, key: RunKey, since: Timestamp) {
        let seq = self.lanes.next();
        let Some(run) = self.runs.get_mut(key) else { return };
        run.state = State::Available { since };
        run.seq = seq;
        let (ix, lane) = (run.job, run.lane);
        self.line_up(ix, lane, seq, key);
    }

    /// A run has become available.
    pub(super) fn line_up(&mut self, ix: JobIx, lane: LaneId, seq: Seq, key: RunKey) {
        self.queued += 1;
        self.queues.added(lane.queue());
        let job = &mut self.jobs[ix.0 as usize];
        job.available += 1;
        if let Some(limits) = &mut job.limits {
            limits.add(lane, seq, key);
            self.show(ix);
        } else {
            self.lanes.push(lane, seq, key);
            self.queues.shown(lane);
        }
    }

    /// A run that was available is not any more, and will not be claimed.
    pub(super) fn withdraw(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key) else { return };
        let (ix, lane, seq) = (run.job, run.lane, run.seq);
        self.queued -= 1;
        self.queues.removed(lane.queue());
        let job = &mut self.jobs[ix.0 as usize];
        job.available -= 1;
        match &mut job.limits {
            None => {
                self.queues.hidden(lane);
                let runs = &self.runs;
                self.lanes.cancel(lane, |other| {
                    other != key
                        && runs.get(other).is_some_and(|run| matches!(run.state, State::Available { .. }))
                });
            }
            Some(limits) => {
                if limits.remove(lane, seq) {
                    self.lanes.hide(lane, seq);
                    self.queues.hidden(lane);
                    self.show(ix);
                }
            }
        }
    }

    /// An attempt of a run of that job and lane is over.
    pub(super) fn attempt_ended(&mut self, ix: JobIx, lane: LaneId) {
        self.running -= 1;
        self.queues.stopped(lane);
        let job = &mut self.jobs[ix.0 as usize];
        job.running -= 1;
        if job.limits.is_some() {
            self.show(ix);
        }
    }

    // Limits of jobs.

    /// Lets other limits hold from now on, for the runs that wait as well. What executes goes on.
    pub(crate) fn set_limits(&mut self, ix: JobIx, options: &Options, now: Elapsed) {
        let job = &mut self.jobs[ix.0 as usize];
        let before = job.info.limits.clone();
        if (before.concurrency, before.rate) == (options.concurrency, options.rate) {
            return;
        }
        (job.info.limits.concurrency, job.info.limits.rate) = (options.concurrency, options.rate);
        let mut after = None;
        if let Some(limits) = &mut job.limits {
            after = limits.set(options, &before, now);
        } else if let Some(limits) = Limits::new(options).filter(|_| !self.limits_elsewhere) {
            job.limits = Some(Box::new(limits));
            self.limited += 1;
            self.hold_back(ix);
        }
        let job = &mut self.jobs[ix.0 as usize];
        let Some(limits) = &mut job.limits else { return };
        if limits.has_rate() && limits.ticket.is_none() {
            let ticket = self.runs.reserve();
            limits.ticket = Some(ticket);
            self.tickets.insert(ticket, ix);
        }
        if let (Some(after), Some(ticket)) = (after, limits.ticket) {
            self.refills.push(Refill { ticket, after });
        }
        let (lanes, queues) = (&mut self.lanes, &mut self.queues);
        limits.hide(job.running as usize, |lane, seq| {
            lanes.hide(lane, seq);
            queues.hidden(lane);
        });
        self.show(ix);
    }

    /// Lets the runs that are made from now on wait in another queue or with another priority, and compares what is submitted
    /// in another way. Runs that there are keep their places.
    pub(crate) fn set_place(&mut self, ix: JobIx, options: &Options) {
        // A queue that is one too many is refused by whoever reads the config; it stays where it was.
        let Ok(queue) = self.queues.named(&options.queue) else { return };
        let job = &mut self.jobs[ix.0 as usize];
        job.lane = LaneId::new(queue, options.priority).threaded(job.lane.is_threaded());
        job.info.limits.queue = options.queue.clone();
        (job.info.limits.priority, job.info.limits.unique) = (options.priority, options.unique);
    }

    /// Lines up with their job, which has limits now, those of its runs that are available.
    fn hold_back(&mut self, ix: JobIx) {
        let runs = &self.runs;
        let is_one = |key| {
            runs.get(key).is_some_and(|run| run.job == ix && matches!(run.state, State::Available { .. }))
        };
        let held = self.lanes.take_out(is_one);
        let Some(limits) = &mut self.jobs[ix.0 as usize].limits else { return };
        for (lane, seq, key) in held {
            self.queues.hidden(lane);
            limits.add(lane, seq, key);
        }
    }

    fn limited_started(&mut self, ix: JobIx, lane: LaneId, now: Elapsed) {
        let job = &mut self.jobs[ix.0 as usize];
        let Some(limits) = &mut job.limits else { return };
        if let (Some(after), Some(ticket)) = (limits.start(lane, now), limits.ticket) {
            self.refills.push(Refill { ticket, after });
        }
        let (lanes, queues) = (&mut self.lanes, &mut self.queues);
        limits.hide(job.running as usize, |lane, seq| {
            lanes.hide(lane, seq);
            queues.hidden(lane);
        });
        self.show(ix);
    }

    /// Shows the runs of a job to those who claim, where its limits allow.
    fn show(&mut self, ix: JobIx) {
        let job = &mut self.jobs[ix.0 as usize];
        let Some(limits) = &mut job.limits else { return };
        let (lanes, queues) = (&mut self.lanes, &mut self.queues);
        limits.show(job.running as usize, |lane, seq, key| {
            lanes.show(lane, seq, key);
            queues.shown(lane);
        });
    }

    /// What is to be told to the timers after a claim.
    pub(crate) fn take_refills(&mut self) -> Vec<Refill> {
        std::mem::take(&mut self.refills)
    }

    /// Whether the key is the ticket of a job whose rate may be used up.
    pub(crate) fn is_ticket(&self, key: RunKey) -> bool {
        self.tickets.contains_key(&key)
    }

    /// The time of a ticket has come.
    pub(crate) fn refill(&mut self, ticket: RunKey, now: Elapsed) {
        let Some(ix) = self.tickets.get(&ticket).copied() else { return };
        let Some(limits) = &mut self.jobs[ix.0 as usize].limits else { return };
        if let Some(after) = limits.refill(now) {
            self.refills.push(Refill { ticket, after });
        }
        self.show(ix);
    }
}

#[cfg(test)]
mod tests;
