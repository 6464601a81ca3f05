//! The runs of a job that have not ended, for whoever asks why it does not run.

use super::{JobIx, Memory, State};
use crate::clock::Timestamp;

/// A run that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveRun {
    pub(crate) slot: Option<Timestamp>,
    pub(crate) life: Life,
    /// How many attempts have begun.
    pub(crate) attempt: u32,
}

/// What a run that has not ended is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Running { since: Timestamp },
    Available { since: Timestamp },
    Waiting,
    Scheduled { due: Timestamp },
}

impl Memory {
    /// The live runs of a job, in no order. It looks at every run of every job.
    pub(crate) fn live_of(&self, job: JobIx) -> Vec<LiveRun> {
        let live = self.runs.iter().filter(|(_, run)| run.job == job).filter_map(|(_, run)| {
            let life = match run.state {
                State::Running { started, .. } => Life::Running { since: started },
                State::Available { since } => Life::Available { since },
                State::Waiting => Life::Waiting,
                State::Scheduled { due } => Life::Scheduled { due },
                State::Ended { .. } => return None,
            };
            Some(LiveRun { slot: run.slot.map(|slot| slot.at), life, attempt: run.attempt })
        });
        live.collect()
    }
}
