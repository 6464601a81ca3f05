//! What becomes of a slot while the run of the one before is live: the overlap policy.

use std::collections::VecDeque;

use jobs_syntax::Overlap;

use super::run::{NewRun, Occasion, Run, RunOptions, State};
use super::{Cancel, Cancelling, Fired, JobIx, Memory, RunKey};
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::options::Origin;
use crate::store::slab::Key;

impl Memory {
    /// A slot has come: makes its run, as the overlap policy of its job says.
    pub(crate) fn fire(&mut self, job: JobIx, occasion: Occasion, body: Body, now: Timestamp) -> Fired {
        let state = self.job(job);
        let overlap = state.info.overlap;
        let busy = state.slot_live > 0;
        if !busy || overlap == Overlap::Allow {
            let key = self.add_slot(job, occasion, body, now);
            self.make_available(key, now);
            return Fired::Queued;
        }
        let cancelling = match overlap {
            Overlap::Skip => return Fired::Skipped(body),
            Overlap::BufferOne if state.waiting() > 0 => return Fired::Skipped(body),
            Overlap::CancelOther => Some(self.cancel_slots(job, now)),
            _ => None,
        };
        let idle_now = self.job(job).slot_live == 0;
        let key = self.add_slot(job, occasion, body, now);
        if idle_now {
            self.make_available(key, now);
        } else {
            self.job_mut(job).waiting.get_or_insert_default().push_back(key);
        }
        cancelling.map_or(Fired::Waiting, Fired::Cancelling)
    }

    /// Whether a slot of a schedule has made a run that is kept. It looks at all of them.
    pub(crate) fn has_run_of(&self, schedule: Key, slot: Timestamp) -> bool {
        let made = |run: &Run| run.schedule == Some(schedule) && run.slot.is_some_and(|of| of.at == slot);
        self.runs.iter().any(|(_, run)| made(run))
    }

    /// Lets another overlap policy hold from now on. Where runs may overlap, none waits for others, which may never all have
    /// ended.
    pub(crate) fn set_overlap(&mut self, job: JobIx, overlap: Overlap, now: Timestamp) {
        let state = self.job_mut(job);
        state.info.overlap = overlap;
        if overlap == Overlap::Allow {
            let waiting = state.waiting.take().map_or_else(VecDeque::new, |waiting| *waiting);
            waiting.into_iter().for_each(|run| self.make_available(run, now));
        }
    }

    /// Ends every run of a slot of `job` that has not started, and names the workers of those that have.
    fn cancel_slots(&mut self, job: JobIx, now: Timestamp) -> Cancelling {
        let mut cancelling = Cancelling::default();
        let keys = self.job(job).cancellable.as_deref().cloned().unwrap_or_default();
        for key in keys {
            match self.cancel(key, now) {
                Cancel::Running(worker) => cancelling.workers.push(worker),
                Cancel::Ended(ended) => cancelling.ended.push(ended),
                Cancel::Gone => {}
            }
        }
        cancelling
    }

    /// Whether the end of a run may make another available.
    pub(crate) fn has_successor(&self, key: RunKey) -> bool {
        self.runs.get(key).is_some_and(|run| run.slot.is_some() && self.job(run.job).waiting() > 0)
    }

    /// A run for a slot, which waits.
    fn add_slot(&mut self, job: JobIx, occasion: Occasion, body: Body, now: Timestamp) -> RunKey {
        let (occasion, options) = (Some(occasion), RunOptions::default());
        let run = NewRun { job, occasion, origin: Origin::Slot, state: State::Waiting, body, options };
        self.add_run(run, now).1
    }

    /// A run of a slot has ended: when it was the last that ran, its successor's turn has come.
    pub(super) fn slot_ended(&mut self, job: JobIx, run: RunKey, now: Timestamp) {
        let state = self.job_mut(job);
        state.slot_live -= 1;
        if let Some(cancellable) = &mut state.cancellable {
            cancellable.retain(|key| *key != run);
        }
        let waiting = state.waiting();
        if waiting == 0 || state.slot_live as usize > waiting {
            return;
        }
        let Some(next) = state.waiting.as_mut().and_then(|waiting| waiting.pop_front()) else { return };
        self.make_available(next, now);
    }
}
