//! Queues: how many runs of each execute at the same time, and which of them are paused.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use jobs_syntax::DEFAULT_QUEUE;

use crate::job::name::JobName;

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
}

impl Queue {
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
}

impl Default for Queues {
    fn default() -> Self {
        let mut queues = Self { queues: Vec::new(), by_name: HashMap::new(), restricted: false, shown: 0 };
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
        self.queues.push(Queue { name, limit: None, paused: false, running: 0, waiting: 0, shown: 0 });
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

    /// Whether a run of the queue may be claimed.
    pub(super) fn is_open(&self, ix: QueueIx) -> bool {
        !self.restricted || self.queues[ix.index()].room() > 0
    }

    pub(super) fn is_paused(&self, ix: QueueIx) -> bool {
        self.queues[ix.index()].paused
    }

    pub(super) fn is_restricted(&self) -> bool {
        self.restricted
    }

    /// How many runs may be claimed, of those that no limit of their job holds back.
    pub(super) fn claimable(&self) -> usize {
        if !self.restricted {
            return self.shown;
        }
        self.queues.iter().map(|queue| queue.shown.min(queue.room())).sum()
    }

    // What happens to runs.

    pub(super) fn added(&mut self, ix: QueueIx) {
        self.get_mut(ix).waiting += 1;
    }

    pub(super) fn removed(&mut self, ix: QueueIx) {
        self.get_mut(ix).waiting -= 1;
    }

    /// A run may be claimed as far as its job goes.
    pub(super) fn shown(&mut self, ix: QueueIx) {
        self.get_mut(ix).shown += 1;
        self.shown += 1;
    }

    pub(super) fn hidden(&mut self, ix: QueueIx) {
        self.get_mut(ix).shown -= 1;
        self.shown -= 1;
    }

    /// One of those that are shown has been claimed.
    pub(super) fn claimed(&mut self, ix: QueueIx) {
        self.shown -= 1;
        let queue = self.get_mut(ix);
        queue.shown -= 1;
        queue.waiting -= 1;
        queue.running += 1;
    }

    pub(super) fn stopped(&mut self, ix: QueueIx) {
        self.get_mut(ix).running -= 1;
    }
}
