//! A run: in the making, while it lives, and claimed.

use std::time::Duration;

use super::details::Details;
use super::lanes::{LaneId, Seq};
use super::queues::QueueIx;
use super::{JobIx, RunKey};
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::name::JobName;
use crate::job::options::Origin;
use crate::job::run::RunId;
use crate::job::slot::Slot;
use crate::store::slab::Key;

/// What a run of a slot is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    pub(crate) slot: Slot,
    /// The schedule; none in a test that has none.
    pub(crate) schedule: Option<Key>,
    /// The schedule waits for the end of the run, since that is where its next slot is counted from.
    pub(crate) is_awaited: bool,
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) job: JobIx,
    pub(super) slot: Option<Slot>,
    /// The schedule that made it, and whether it waits for its end.
    pub(super) schedule: Option<Key>,
    pub(super) is_awaited: bool,
    pub(super) origin: Origin,
    pub(super) state: State,
    /// How many attempts have begun.
    pub(super) attempt: u32,
    /// How many attempts may follow the first.
    pub(super) retries: u32,
    pub(super) lane: LaneId,
    /// Its place among those that are available.
    pub(super) seq: Seq,
    /// The work, while it waits.
    pub(super) body: Option<Body>,
    /// It has changed since it was last written down.
    pub(super) is_marked: bool,
    pub(super) details: Details,
}

impl Run {
    pub(super) fn awaited_by(&self) -> Option<Key> {
        self.schedule.filter(|_| self.is_awaited)
    }

    /// Whether it has been tried before. An attempt whose worker died is not counted, and has been one.
    pub(super) fn is_retried(&self) -> bool {
        self.attempt > 0 || !self.details.failures().is_empty()
    }

    pub(super) fn is_live(&self) -> bool {
        !matches!(self.state, State::Ended { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Scheduled {
        due: Timestamp,
    },
    Waiting,
    Available {
        /// When it became so.
        since: Timestamp,
    },
    Running {
        worker: u32,
        started: Timestamp,
    },
    /// With the start of its last attempt, or its end where there was none.
    Ended {
        started: Timestamp,
        finished: Timestamp,
    },
}

/// When what has started then has ended, by a clock that shows this: nothing ends before it has begun, though the clock was
/// set back meanwhile.
pub(super) fn end_of(started: Timestamp, now: Timestamp) -> Timestamp {
    now.max(started)
}

/// A run that was submitted and has still to be accepted.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) id: RunId,
    pub(crate) key: RunKey,
    pub(crate) job: JobIx,
    pub(crate) body: Body,
    pub(crate) origin: Origin,
    pub(crate) options: RunOptions,
    /// When it was submitted.
    pub(crate) now: Timestamp,
}

/// A run in the making.
#[derive(Debug)]
pub(super) struct NewRun {
    pub(super) job: JobIx,
    pub(super) occasion: Option<Occasion>,
    pub(super) origin: Origin,
    pub(super) state: State,
    pub(super) body: Body,
    pub(super) options: RunOptions,
}

/// What a submission says of its run, each thing only where it says it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunOptions {
    pub(crate) queue: Option<QueueIx>,
    pub(crate) priority: Option<i8>,
    pub(crate) retries: Option<u32>,
}

/// A run that a worker may now execute.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) key: RunKey,
    pub(crate) id: RunId,
    pub(crate) job: JobName,
    /// The name of its queue.
    pub(crate) queue: JobName,
    pub(crate) slot: Option<Slot>,
    pub(crate) started: Timestamp,
    /// When it became available.
    pub(crate) available: Timestamp,
    /// The work, until the attempt takes it.
    pub(crate) body: Option<Body>,
    /// The job is a plain `fn`, which cannot be stopped.
    pub(crate) blocking: bool,
    /// Which attempt of the run this is, from 1.
    pub(crate) attempt: u32,
    /// How many attempts may follow the first.
    pub(crate) retries: u32,
    /// How long an attempt may take.
    pub(crate) timeout: Option<Duration>,
}

impl Claim {
    /// How many attempts may be made of the run in all.
    pub(crate) fn of(&self) -> u32 {
        self.retries.saturating_add(1)
    }
}
