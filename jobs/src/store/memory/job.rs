//! A job and the account of its runs.

use std::collections::{HashSet, VecDeque};

use super::RunKey;
use super::history::Ring;
use super::lanes::LaneId;
use super::limits::Limits;
use crate::clock::Timestamp;
use crate::job::info::JobInfo;
use crate::job::run::{Outcome, RunId};

/// A job and the account of its runs.
#[derive(Debug)]
pub(crate) struct JobState {
    pub(crate) info: JobInfo,
    /// Since when its slots pass without a run.
    pub(crate) paused_since: Option<Timestamp>,
    pub(crate) running: u32,
    pub(crate) available: u32,
    pub(crate) scheduled: u32,
    /// Which those are.
    #[expect(clippy::box_collection, reason = "a job of which no run is ever delayed pays 8 bytes")]
    pub(super) delayed: Option<Box<HashSet<RunKey>>>,
    /// Those of them that wait to be tried again.
    pub(crate) retrying: u32,
    /// Where its runs wait, unless their submission says otherwise.
    pub(super) lane: LaneId,
    pub(super) limits: Option<Box<Limits>>,
    /// Runs of slots that have not ended; what the overlap policy counts.
    pub(super) slot_live: u32,
    #[expect(clippy::box_collection, reason = "a job of which no run ever waits pays 8 bytes, not 32")]
    pub(super) waiting: Option<Box<VecDeque<RunKey>>>,
    pub(crate) previous: Option<Box<Previous>>,
    /// Its runs that have ended and are kept.
    pub(super) ended: Option<Box<Ring>>,
    /// The live runs of slots, where a slot may cancel them.
    #[expect(clippy::box_collection, reason = "of few jobs")]
    pub(super) cancellable: Option<Box<Vec<RunKey>>>,
}

impl JobState {
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len())
    }

    /// A run of it waits for its time.
    pub(super) fn delayed(&mut self, key: RunKey) {
        self.scheduled += 1;
        self.delayed.get_or_insert_default().insert(key);
    }

    /// One that did does not any more.
    pub(super) fn undelayed(&mut self, key: RunKey) {
        self.scheduled -= 1;
        if let Some(delayed) = &mut self.delayed {
            delayed.remove(&key);
            // A crowd that has gone leaves no room behind.
            if delayed.is_empty() {
                self.delayed = None;
            }
        }
    }

    #[inline]
    pub(super) fn ended(&mut self, run: Previous) {
        match &mut self.previous {
            Some(place) => **place = run,
            none => *none = Some(Box::new(run)),
        }
    }
}

/// The run of a job that ended last, with the times of its last attempt.
#[derive(Debug, Clone)]
pub(crate) struct Previous {
    pub(crate) id: RunId,
    pub(crate) slot: Option<Timestamp>,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    pub(crate) outcome: Outcome,
}
