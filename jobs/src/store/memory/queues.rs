//! Queues: how many runs of each execute at the same time, and which of them are paused; and how many plain functions do,
//! over all queues, each of which takes a thread of the runtime.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use jobs_syntax::DEFAULT_QUEUE;

use super::lanes::LaneId;
use crate::job::name::JobName;

/// How many plain functions execute at the same time. A runtime has 512 threads for such things where nothing else is said,
/// and not all of them are ours. One that is claimed beyond them would count as running while it waits for a thread.
pub(crate) const THREADS: usize = 480;

/// The place of a queue among those of its instance. Queues are never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueIx(u16);

impl QueueIx {
    pub(crate) const DEFAULT: Self = Self(0);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// There are more queues than there can be.
#[derive(Debug)]
pub(crate) struct TooManyQueues;

/// A queue and the account of its runs.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Every attempt has a copy, so it is one that costs nothing to copy where nothing is said.
    pub(crate) name: JobName,
    /// How many of its runs may execute at the same time; none is limited by the pool only.
    pub(crate) limit: Option<NonZeroUsize>,
    pub(crate) paused: bool,
    pub(crate) running: usize,
    /// Runs that are available.
    pub(crate) waiting: usize,
    /// Those of them that no limit of their job holds back.
    pub(super) shown: usize,
    /// Those of these that are of plain functions.
    shown_threaded: usize,
}

impl Queue {
    /// Whether as many of its runs execute as may.
    pub(super) fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.running >= limit.get())
    }

    /// How many runs may be claimed beside those that execute.
    fn room(&self) -> usize {
        match self.limit {
            _ if self.paused => 0,
            Some(limit) => limit.get().saturating_sub(self.running),
            None => usize::MAX,
        }
    }
}

#[derive(Debug)]
pub(super) struct Queues {
    queues: Vec<Queue>,
    by_name: HashMap<JobName, QueueIx>,
    /// Whether a queue has a limit or is paused.
    restricted: bool,
    /// Runs that are available and held back by no limit of their job.
    shown: usize,
    /// Those of them that are of plain functions.
    shown_threaded: usize,
    /// How many plain functions may execute at the same time, and how many more of them.
    threads: usize,
    free_threads: usize,
}

impl Default for Queues {
    fn default() -> Self {
        let mut queues = Self {
            queues: Vec::new(),
            by_name: HashMap::new(),
            restricted: false,
            shown: 0,
            shown_threaded: 0,
            threads: THREADS,
            free_threads: THREADS,
        };
        let default = queues.named(DEFAULT_QUEUE);
        debug_assert!(default.is_ok_and(|ix| ix == QueueIx::DEFAULT), "the first");
        queues
    }
}

impl Queues {
    /// The queue of that name, made where it is new.
    pub(super) fn named(&mut self, name: &str) -> Result<QueueIx, TooManyQueues> {
        if let Some(ix) = self.find(name) {
            return Ok(ix);
        }
        let ix = QueueIx(u16::try_from(self.queues.len()).map_err(|_| TooManyQueues)?);
        let name = match name {
            DEFAULT_QUEUE => JobName::Static(DEFAULT_QUEUE),
            name => JobName::Shared(name.into()),
        };
        self.by_name.insert(name.clone(), ix);
        self.queues.push(Queue {
            name,
            limit: None,
            paused: false,
            running: 0,
            waiting: 0,
            shown: 0,
            shown_threaded: 0,
        });
        Ok(ix)
    }

    pub(super) fn find(&self, name: &str) -> Option<QueueIx> {
        self.by_name.get(name).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (QueueIx, &Queue)> {
        self.queues.iter().enumerate().map(|(index, queue)| (QueueIx(index as u16), queue))
    }

    pub(super) fn name(&self, ix: QueueIx) -> &JobName {
        &self.queues[ix.index()].name
    }

    pub(super) fn get(&self, ix: QueueIx) -> &Queue {
        &self.queues[ix.index()]
    }

    fn get_mut(&mut self, ix: QueueIx) -> &mut Queue {
        &mut self.queues[ix.index()]
    }

    /// Sets how many runs of a queue may execute at the same time.
    pub(super) fn limit(&mut self, ix: QueueIx, limit: Option<NonZeroUsize>) {
        self.get_mut(ix).limit = limit;
        self.look();
    }

    /// Pauses a queue, or lets it go on, and answers whether it was paused.
    pub(super) fn pause(&mut self, ix: QueueIx, paused: bool) -> bool {
        let before = std::mem::replace(&mut self.get_mut(ix).paused, paused);
        self.look();
        before
    }

    fn look(&mut self) {
        self.restricted = self.queues.iter().any(|queue| queue.paused || queue.limit.is_some());
    }

    /// Lets so many plain functions execute at the same time.
    #[cfg(test)]
    pub(super) fn limit_threads(&mut self, threads: usize) {
        (self.threads, self.free_threads) = (threads, threads);
    }

    /// How many plain functions may execute at the same time, where no other may now.
    pub(super) fn used_up_threads(&self) -> Option<usize> {
        (self.free_threads == 0).then_some(self.threads)
    }

    /// Whether a run of the lane may be claimed.
    pub(super) fn is_open(&self, lane: LaneId) -> bool {
        (!self.restricted || self.queues[lane.queue().index()].room() > 0)
            && (!lane.is_threaded() || self.free_threads > 0)
    }

    pub(super) fn is_paused(&self, ix: QueueIx) -> bool {
        self.queues[ix.index()].paused
    }

    pub(super) fn is_restricted(&self) -> bool {
        /// With more threads than that, the end of a plain function makes room for none that waits.
        const FEW: usize = 64;
        self.restricted || self.free_threads < FEW.min(self.threads)
    }

    /// How many runs may be claimed, of those that no limit of their job holds back.
    pub(super) fn claimable(&self) -> usize {
        if !self.restricted {
            let threaded = self.shown_threaded;
            return self.shown - threaded + threaded.min(self.free_threads);
        }
        let (mut others, mut threaded) = (0, 0);
        for queue in &self.queues {
            let room = queue.room();
            let of_others = (queue.shown - queue.shown_threaded).min(room);
            others += of_others;
            threaded += queue.shown.min(room) - of_others;
        }
        others + threaded.min(self.free_threads)
    }

    /// How many runs wait that their queues have room for.
    #[cfg(feature = "postgres")]
    pub(super) fn fitting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting.min(queue.room())).sum()
    }

    // What happens to runs.

    pub(super) fn added(&mut self, ix: QueueIx) {
        self.get_mut(ix).waiting += 1;
    }

    pub(super) fn removed(&mut self, ix: QueueIx) {
        self.get_mut(ix).waiting -= 1;
    }

    /// A run may be claimed as far as its job goes.
    pub(super) fn shown(&mut self, lane: LaneId) {
        let threaded = usize::from(lane.is_threaded());
        self.shown += 1;
        self.shown_threaded += threaded;
        let queue = self.get_mut(lane.queue());
        queue.shown += 1;
        queue.shown_threaded += threaded;
    }

    pub(super) fn hidden(&mut self, lane: LaneId) {
        let threaded = usize::from(lane.is_threaded());
        self.shown -= 1;
        self.shown_threaded -= threaded;
        let queue = self.get_mut(lane.queue());
        queue.shown -= 1;
        queue.shown_threaded -= threaded;
    }

    /// One of those that are shown has been claimed.
    pub(super) fn claimed(&mut self, lane: LaneId) {
        self.hidden(lane);
        self.free_threads -= usize::from(lane.is_threaded());
        let queue = self.get_mut(lane.queue());
        queue.waiting -= 1;
        queue.running += 1;
    }

    pub(super) fn stopped(&mut self, lane: LaneId) {
        self.free_threads += usize::from(lane.is_threaded());
        self.get_mut(lane.queue()).running -= 1;
    }
}
