//! A plain function whose worker has gone, as when the runtime ends: it cannot be stopped, so its run does not end before it.
//!
//! Where several processes share the store, another would begin it beside the one that goes on. So its run stays with this
//! process, which the end of `main` lets go on until the function has returned, and then what it has come to counts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::Span;

use super::Pool;
use super::attempt::{self, Over};
use crate::job::body::Body;
use crate::job::call::{Left, Returning};
use crate::job::context::Surroundings;
use crate::store::memory::Claim;
use crate::telemetry::panics;

/// Called when nothing executes any more that had outlived the shutdown.
pub(crate) type Emptied = Box<dyn Fn() + Send + Sync>;

/// A plain function whose worker has gone.
struct LeftBehind {
    pool: Arc<Pool>,
    worker: u32,
    surroundings: Arc<Surroundings>,
    claim: Claim,
}

/// A worker goes, and leaves behind what it executes if that is a plain function that goes on, of a run that was claimed from
/// a store. `false` where it is not; what such a function has come to meanwhile is `over`.
pub(super) fn leave_behind(
    pool: &Arc<Pool>,
    worker: u32,
    surroundings: &Arc<Surroundings>,
    claim: &mut Option<Claim>,
    kept: &mut Option<Body>,
    over: &mut Option<Over>,
) -> bool {
    let claimed = claim.take_if(|claim| claim.blocking && pool.goes_back(claim.key));
    let Some(claimed) = claimed else { return false };
    debug_assert!(claimed.body.is_none(), "its attempt has it");
    let signals = &surroundings.signals;
    if let Some(body) = kept.take() {
        signals.lay(signals.turn(), |laid| laid.body = Some(body));
    }
    let mut claimed = Some(claimed);
    let left = signals.leave_to(|| {
        let (pool, surroundings) = (Arc::clone(pool), Arc::clone(surroundings));
        let claim = claimed.take().expect("invariant: it is left to one");
        let left = LeftBehind { pool, worker, surroundings, claim };
        Box::new(move |returning| left.returned(returning))
    });
    match (left, claimed) {
        (Left::Returned(returning), Some(claim)) => {
            let (hooks, was_late) = (&pool.hooks.attempts, signals.has_timed_out());
            *over =
                Some(attempt::returned_late(returning, &claim, surroundings, hooks, was_late, Span::none()));
            false
        }
        (Left::GoesOn, _) => {
            let _ = panics::catch(|| signals.tell());
            true
        }
        _ => false,
    }
}

impl LeftBehind {
    /// Ends the attempt, on the thread of the function.
    fn returned(self, returning: Returning) {
        let Self { pool, worker, surroundings, claim } = self;
        let (hooks, now) = (&pool.hooks.attempts, pool.clock.now().wall);
        // Nobody has looked at the time since the worker went.
        let is_late = |timeout| now.since(claim.started) >= timeout;
        let was_late = surroundings.signals.has_timed_out() || claim.timeout.is_some_and(is_late);
        let over = attempt::returned_late(returning, &claim, &surroundings, hooks, was_late, Span::current());
        let (after, waited) = {
            let mut shared = pool.lock();
            (shared.end(worker, over, now), shared.workers.leave(worker))
        };
        if waited {
            let _ = panics::catch(|| surroundings.signals.tell());
        }
        if let Some(after) = after {
            after.settle(&pool);
        }
        pool.call_workers(usize::MAX);
        pool.drained.notify_waiters();
        pool.has_left();
    }
}

impl Pool {
    /// Calls this when the last worker has gone whose run had outlived the shutdown. It may block: the worker went with the runtime.
    pub(crate) fn when_emptied(&self, emptied: Emptied) {
        // Whoever says it again says the same.
        let _ = self.emptied.set(emptied);
    }

    /// The runtime of the workers ends.
    pub(crate) fn ends_with_runtime(&self) {
        self.runtime_ends.store(true, Ordering::SeqCst);
    }

    /// Whether something executes, or a failure is told of.
    pub(crate) fn is_busy(&self) -> bool {
        self.lock().workers.is_busy(false)
    }

    /// A worker has gone with the runtime, or what it had left behind has ended.
    pub(super) fn has_left(&self) {
        if let Some(emptied) = self.emptied.get()
            && !self.is_busy()
        {
            emptied();
        }
    }
}
