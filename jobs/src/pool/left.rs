//! A plain function whose worker has gone, as when the runtime ends: it cannot be stopped, so its run does not end before it.
//!
//! Where several processes share the store, another would begin it beside the one that goes on. So its run stays with this
//! process, which the end of `main` lets go on until the function has returned, and then what it has come to counts.

use std::sync::Arc;

use super::attempt::{self, Over};
use super::{Pool, Shared};
use crate::JobResult;
use crate::job::body::Body;
use crate::job::context::Surroundings;
use crate::job::signals::Heir;
use crate::store::memory::Claim;
use crate::telemetry::panics::{self, Panic};

/// Called when a function has returned whose worker had gone, and no other executes.
pub(crate) type Emptied = Box<dyn Fn() + Send + Sync>;

/// A plain function whose worker has gone.
struct LeftBehind {
    pool: Arc<Pool>,
    worker: u32,
    surroundings: Arc<Surroundings>,
    claim: Claim,
}

impl Shared {
    /// The worker goes, and leaves behind what it executes if that is a plain function that goes on, of a run that was claimed
    /// from a store. `false` where it is not.
    pub(super) fn leave_behind(
        &self,
        pool: &Arc<Pool>,
        worker: u32,
        surroundings: &Arc<Surroundings>,
        claim: &mut Option<Claim>,
        kept: &mut Option<Body>,
    ) -> bool {
        let is_left = |claim: &mut Claim| claim.blocking && self.memory.is_claimed(claim.key);
        let Some(claim) = claim.take_if(is_left) else { return false };
        let signals = &surroundings.signals;
        let left =
            LeftBehind { pool: Arc::clone(pool), worker, surroundings: Arc::clone(surroundings), claim };
        // It ends under the lock that is held here.
        let is_left = signals.leave_to(Heir(Box::new(move |returned| left.returned(returned))));
        if is_left && let Some(body) = kept.take() {
            signals.lay(signals.turn(), |laid| laid.body = Some(body));
        }
        is_left
    }
}

impl LeftBehind {
    /// Ends the attempt, on the thread of the function.
    fn returned(self, returned: Result<JobResult, Box<Panic>>) {
        let Self { pool, worker, surroundings, claim } = self;
        let over: Over = attempt::returned_late(returned, &claim, &surroundings, &pool.hooks.attempts);
        let now = pool.clock.now().wall;
        let (after, waited, is_last) = {
            let mut shared = pool.lock();
            let after = shared.end(worker, over, now);
            let waited = shared.workers.leave(worker);
            (after, waited, !shared.workers.is_busy(false))
        };
        if waited {
            let _ = panics::catch(|| surroundings.signals.tell());
        }
        if let Some(after) = after {
            after.settle(&pool);
        }
        pool.drained.notify_waiters();
        if is_last && let Some(emptied) = pool.emptied.get() {
            emptied();
        }
    }
}

impl Pool {
    /// Calls this when a function has returned whose worker had gone, and no other executes.
    pub(crate) fn when_emptied(&self, emptied: Emptied) {
        // Whoever says it again says the same.
        let _ = self.emptied.set(emptied);
    }
}
