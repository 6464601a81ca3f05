//! Slots that have come become runs.

use super::Pool;
use super::workers::Told;
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
    Ran,
    Skipped,
    Paused,
    Closed,
}

impl Pool {
    /// Slots have come: makes their runs. The lock is let go now and then, so that a burst of slots does not keep
    /// finished runs waiting.
    pub(crate) fn fire(&self, firings: &mut Vec<Firing>, now: Reading, fates: &mut Vec<SlotFate>) {
        const AT_A_TIME: usize = 64;
        let mut stop = Vec::new();
        let mut ended: Vec<Ended> = Vec::new();
        // May hold the last of a value of the user's, which is not to be dropped under the lock.
        let mut unused = Vec::new();
        self.write_down(firings);
        let mut firings = firings.drain(..).peekable();
        while firings.peek().is_some() {
            let mut shared = self.lock();
            for firing in firings.by_ref().take(AT_A_TIME) {
                if shared.closed {
                    fates.push(SlotFate::Closed);
                    unused.push(firing.body);
                    continue;
                }
                let job = shared.memory.job(firing.job);
                if job.paused_since.is_some() || !job.info.enabled {
                    fates.push(SlotFate::Paused);
                    unused.push(firing.body);
                    continue;
                }
                fates.push(match shared.memory.fire(firing.job, firing.occasion, firing.body, now.wall) {
                    Fired::Queued | Fired::Waiting => SlotFate::Ran,
                    Fired::Skipped(body) => {
                        unused.push(body);
                        SlotFate::Skipped
                    }
                    Fired::Cancelling(cancelling) => {
                        ended.extend(cancelling.ended);
                        for worker in cancelling.workers {
                            stop.push(shared.workers.stop(worker, Cancellation::Cancelled, now.wall));
                        }
                        SlotFate::Ran
                    }
                });
            }
            drop(shared);
            self.call_workers(AT_A_TIME);
        }
        stop.into_iter().for_each(Told::wake);
        ended.into_iter().for_each(|ended| self.settle(ended));
        for body in unused {
            let _ = panics::catch(|| drop(body));
        }
        #[cfg(feature = "metrics")]
        self.measure();
    }
}
