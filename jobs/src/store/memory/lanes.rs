//! The order in which runs are claimed.
//!
//! Runs of one queue and one priority are a lane, and in a lane the first to come is the first to go. A claim takes the
//! run of the highest priority and, among those of one priority, the one that became available first; every eighth takes
//! the one that became available first whatever its priority, so that nothing starves. Lanes with runs are few, so a claim
//! looks at the head of each; where there is only one, as in most programs, it is taken without a look.

use std::collections::{BTreeMap, VecDeque};

use super::RunKey;
use super::queues::QueueIx;

/// So many cancelled runs in a line are not worth a sweep.
const SLACK: usize = 64;

/// So often a claim takes the oldest run.
const OLDEST_EVERY: u32 = 8;

/// The order in which runs have become available.
pub(super) type Seq = u64;

/// The runs of one queue and one priority, those of plain functions apart. The highest priority is first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneId {
    /// The priority, turned over.
    rank: i8,
    queue: QueueIx,
    /// They are of plain functions, each of which takes a thread.
    threaded: bool,
}

impl LaneId {
    pub(super) fn new(queue: QueueIx, priority: i8) -> Self {
        Self { rank: priority.saturating_neg(), queue, threaded: false }
    }

    /// The same of plain functions, or of others.
    pub(super) fn threaded(self, threaded: bool) -> Self {
        Self { threaded, ..self }
    }

    pub(super) fn is_threaded(self) -> bool {
        self.threaded
    }

    /// Whether nothing is said of the runs in it.
    fn is_plain(self) -> bool {
        self.rank == 0 && self.queue == QueueIx::DEFAULT
    }

    pub(super) fn queue(self) -> QueueIx {
        self.queue
    }

    pub(super) fn priority(self) -> i8 {
        self.rank.saturating_neg()
    }
}

#[derive(Debug)]
struct Lane {
    id: LaneId,
    /// Runs in the order in which they came. Those that were cancelled are passed over.
    line: VecDeque<(Seq, RunKey)>,
    /// Of how many at least it was said that they were cancelled, since the line was swept.
    cancelled: usize,
    /// Runs of jobs with limits, which go back to their job when it has reached one.
    shown: BTreeMap<Seq, RunKey>,
}

impl Lane {
    fn is_empty(&self) -> bool {
        self.line.is_empty() && self.shown.is_empty()
    }

    /// The place of the first run.
    fn head(&mut self, is_available: &impl Fn(RunKey) -> bool) -> Option<Seq> {
        while self.line.front().is_some_and(|(_, key)| !is_available(*key)) {
            self.line.pop_front();
        }
        let line = self.line.front().map(|(seq, _)| *seq);
        let shown = self.shown.first_key_value().map(|(seq, _)| *seq);
        line.into_iter().chain(shown).min()
    }

    /// Takes out the run that [`head`](Self::head) has found.
    fn pop(&mut self, head: Seq) -> Option<Claimable> {
        let lane = self.id;
        if let Some(key) = self.shown.remove(&head) {
            return Some(Claimable { key, lane, seq: head, limited: true });
        }
        let (seq, key) = self.line.pop_front()?;
        Some(Claimable { key, lane, seq, limited: false })
    }
}

/// A run that was taken out to be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claimable {
    pub(super) key: RunKey,
    pub(super) lane: LaneId,
    pub(super) seq: Seq,
    /// It was put in by [`Lanes::show`].
    pub(super) limited: bool,
}

#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// By their identity.
    lanes: Vec<Lane>,
    last: Seq,
    /// Claims since one took the oldest.
    claims: u32,
}

impl Lanes {
    /// The place of a run that becomes available now.
    pub(super) fn next(&mut self) -> Seq {
        self.last += 1;
        self.last
    }

    /// Whether runs are in no other lane than that where nothing is said, so that a run that comes to it later cannot be
    /// before them.
    pub(super) fn is_plain(&self) -> bool {
        self.lanes.iter().all(|lane| lane.id.is_plain())
    }

    /// Puts a run at the end of its lane.
    pub(super) fn push(&mut self, lane: LaneId, seq: Seq, key: RunKey) {
        self.lane(lane).line.push_back((seq, key));
    }

    /// A run in the line of a lane is cancelled. It is passed over in its turn; where that may be long in coming, since the
    /// queue is paused or others go before, the line is swept each time that half of it is gone.
    pub(super) fn cancel(&mut self, lane: LaneId, is_available: impl Fn(RunKey) -> bool) {
        let lane = self.lane(lane);
        lane.cancelled += 1;
        if lane.cancelled > SLACK.max(lane.line.len() / 2) {
            lane.line.retain(|(_, key)| is_available(*key));
            lane.cancelled = 0;
        }
    }

    /// The runs in the lines, each with its place in the order; some may have been cancelled.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Seq, RunKey)> {
        self.lanes.iter().flat_map(|lane| lane.line.iter().copied())
    }

    /// Takes the runs out of the lines that are to have limits from now on. It looks at all of them.
    pub(super) fn take_out(&mut self, is_one: impl Fn(RunKey) -> bool) -> Vec<(LaneId, Seq, RunKey)> {
        let mut taken = Vec::new();
        for lane in &mut self.lanes {
            lane.line.retain(|(seq, key)| {
                let is_one = is_one(*key);
                if is_one {
                    taken.push((lane.id, *seq, *key));
                }
                !is_one
            });
        }
        taken
    }

    /// Puts in a run of a job with limits, at its place.
    pub(super) fn show(&mut self, lane: LaneId, seq: Seq, key: RunKey) {
        self.lane(lane).shown.insert(seq, key);
    }

    /// Takes out again what was [shown](Self::show).
    pub(super) fn hide(&mut self, lane: LaneId, seq: Seq) -> Option<RunKey> {
        self.lane(lane).shown.remove(&seq)
    }

    /// Takes out the run whose turn it is, among those of lanes that are open. Where there is one lane only, it may be
    /// one that is not available any more.
    #[inline]
    pub(super) fn take(
        &mut self,
        is_open: impl Fn(LaneId) -> bool,
        is_available: impl Fn(RunKey) -> bool,
    ) -> Option<Claimable> {
        if let [lane] = &mut *self.lanes
            && lane.shown.is_empty()
        {
            if lane.line.is_empty() || !is_open(lane.id) {
                return None;
            }
            let (seq, key) = lane.line.pop_front()?;
            return Some(Claimable { key, lane: lane.id, seq, limited: false });
        }
        let (lane, head) = self.choose(is_open, is_available)?;
        self.lanes[lane].pop(head)
    }

    /// What was taken out has been claimed.
    pub(super) fn claimed(&mut self) {
        self.claims = (self.claims + 1) % OLDEST_EVERY;
    }

    /// The first run of each lane.
    pub(super) fn heads(
        &self,
        is_available: impl Fn(RunKey) -> bool,
    ) -> impl Iterator<Item = (LaneId, RunKey)> {
        self.lanes.iter().filter_map(move |lane| {
            let line = lane.line.iter().find(|(_, key)| is_available(*key)).copied();
            let shown = lane.shown.first_key_value().map(|(seq, key)| (*seq, *key));
            line.into_iter().chain(shown).min_by_key(|(seq, _)| *seq).map(|(_, key)| (lane.id, key))
        })
    }

    fn choose(
        &mut self,
        is_open: impl Fn(LaneId) -> bool,
        is_available: impl Fn(RunKey) -> bool,
    ) -> Option<(usize, Seq)> {
        // The last that becomes empty stays, for the next run.
        self.lanes.retain(|lane| !lane.is_empty());
        let oldest = self.claims + 1 == OLDEST_EVERY;
        let mut best: Option<(usize, Seq)> = None;
        for at in 0..self.lanes.len() {
            if let Some((best, _)) = best
                && !oldest
                && self.lanes[best].id.rank != self.lanes[at].id.rank
            {
                break;
            }
            if !is_open(self.lanes[at].id) {
                continue;
            }
            let Some(head) = self.lanes[at].head(&is_available) else { continue };
            if best.is_none_or(|(_, first)| head < first) {
                best = Some((at, head));
            }
        }
        best
    }

    /// How many places there are in all lines.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.line.len() + lane.shown.len()).sum()
    }

    #[inline]
    fn lane(&mut self, id: LaneId) -> &mut Lane {
        let at = match &*self.lanes {
            [only] if only.id == id => 0,
            _ => self.place_of(id),
        };
        &mut self.lanes[at]
    }

    /// Where a lane is, which is made where there is none.
    fn place_of(&mut self, id: LaneId) -> usize {
        self.lanes.binary_search_by_key(&id, |lane| lane.id).unwrap_or_else(|at| {
            let lane = Lane { id, line: VecDeque::new(), cancelled: 0, shown: BTreeMap::new() };
            self.lanes.insert(at, lane);
            at
        })
    }
}
