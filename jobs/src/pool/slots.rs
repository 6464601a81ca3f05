//! Slots that have come become runs.

use std::collections::VecDeque;

use super::workers::Told;
use super::{Pool, Shared};
use crate::clock::Reading;
use crate::job::body::Body;
use crate::job::signals::Cancellation;
use crate::store::memory::{Ended, Fired, JobIx, Occasion};
use crate::telemetry::panics;

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
    /// The pool has it in its hands. One that it died over stays so: whether it has a run, the runs tell.
    Begun,
    Ran,
    Skipped,
    Paused,
    Closed,
}

/// How many slots are fired before the lock is let go.
const AT_A_TIME: usize = 64;

impl Pool {
    /// Slots have come: makes their runs. The lock is let go now and then, so that a burst of slots does not keep
    /// finished runs waiting.
    ///
    /// Should it panic, what has a fate has become that, and what has none is still there to be fired.
    pub(crate) fn fire(&self, firings: &mut VecDeque<Firing>, now: Reading, fates: &mut Vec<SlotFate>) {
        self.write_down(firings);
        let mut after = Aftermath { pool: self, stop: Vec::new(), ended: Vec::new(), unused: Vec::new() };
        while !firings.is_empty() {
            let mut shared = self.lock();
            for _ in 0..AT_A_TIME {
                let Some(firing) = firings.pop_front() else { break };
                let place = fates.len();
                fates.push(SlotFate::Begun);
                fates[place] = self.fire_one(&mut shared, firing, now, &mut after);
            }
            drop(shared);
            self.call_workers(AT_A_TIME);
        }
        drop(after);
        #[cfg(feature = "metrics")]
        self.measure();
    }

    fn fire_one(
        &self,
        shared: &mut Shared,
        firing: Firing,
        now: Reading,
        after: &mut Aftermath<'_>,
    ) -> SlotFate {
        if shared.closed {
            after.unused.push(firing.body);
            return SlotFate::Closed;
        }
        let job = shared.memory.job(firing.job);
        if job.paused_since.is_some() || !job.info.enabled {
            after.unused.push(firing.body);
            return SlotFate::Paused;
        }
        match shared.memory.fire(firing.job, firing.occasion, firing.body, now.wall) {
            Fired::Queued | Fired::Waiting => SlotFate::Ran,
            Fired::Skipped(body) => {
                after.unused.push(body);
                SlotFate::Skipped
            }
            Fired::Cancelling(cancelling) => {
                after.ended.extend(cancelling.ended);
                for worker in cancelling.workers {
                    after.stop.push(shared.workers.stop(worker, Cancellation::Cancelled, now.wall));
                }
                SlotFate::Ran
            }
        }
    }
}

/// What is left to do without the lock, also after a panic.
struct Aftermath<'a> {
    pool: &'a Pool,
    stop: Vec<Told>,
    ended: Vec<Ended>,
    /// May hold the last of a value of the user's, which is not to be dropped under the lock.
    unused: Vec<Body>,
}

impl Drop for Aftermath<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.pool.call_workers(AT_A_TIME);
        }
        self.stop.drain(..).for_each(Told::wake);
        self.ended.drain(..).for_each(|ended| self.pool.settle(ended));
        for body in self.unused.drain(..) {
            let _ = panics::catch(|| drop(body));
        }
    }
}
