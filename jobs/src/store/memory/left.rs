//! What a step of the state machine leaves to do, outside the lock.

use tokio::sync::oneshot;

use crate::job::body::Body;
use crate::job::run::Outcome;
use crate::store::slab::Key;
use crate::telemetry::panics;

/// What became of a slot.
#[derive(Debug)]
pub(crate) enum Fired {
    /// A run was made; it is available.
    Queued,
    /// A run was made; it waits for its predecessor.
    Waiting,
    /// The predecessor is told to stop, and a run waits for its end.
    Cancelling(Cancelling),
    /// The overlap policy dropped the slot.
    Skipped(Body),
}

/// Runs that a new slot replaces.
#[derive(Debug, Default)]
pub(crate) struct Cancelling {
    /// Workers whose run is to be stopped.
    pub(crate) workers: Vec<u32>,
    /// Runs that had not started and are gone.
    pub(crate) ended: Vec<Ended>,
}

/// A run that came to its end: who waits for it, and what is left to drop.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) waiters: Vec<oneshot::Sender<Outcome>>,
    pub(crate) litter: Litter,
    /// The schedule that waits for it.
    pub(crate) awaited_by: Option<Key>,
}

/// Values of the user's that nobody keeps any more. Dropping them calls code of the user.
///
/// Most runs leave none and nearly all others one, so that is what costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Litter(Option<(Body, Vec<Body>)>);

impl Litter {
    #[inline(always)]
    pub(super) fn add(&mut self, body: Option<Body>) {
        // Most runs have none any more.
        if let Some(body) = body {
            self.add_body(body);
        }
    }

    fn add_body(&mut self, body: Body) {
        // What nobody notices the end of need not wait for the lock to be free.
        if body.is_inert() {
            return;
        }
        match &mut self.0 {
            None => self.0 = Some((body, Vec::new())),
            Some((_, more)) => more.push(body),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Drops the values. Not under a lock.
    pub(crate) fn drop(self) {
        let Some((one, more)) = self.0 else { return };
        // It may panic, and that is nobody's business here.
        for body in std::iter::once(one).chain(more) {
            let _ = panics::catch(|| drop(body));
        }
    }
}

impl Ended {
    /// Tells those who wait, and drops what is left. Not under a lock.
    pub(crate) fn settle(self) {
        self.litter.drop();
        for waiter in self.waiters {
            // A receiver that is gone has stopped waiting, and the waker of one that is there is code of the program's.
            let _ = panics::catch(|| waiter.send(self.outcome.clone()));
        }
    }
}

/// What to do about a run that somebody wants cancelled.
#[derive(Debug)]
pub(crate) enum Cancel {
    /// It had not started and is gone.
    Ended(Ended),
    /// It runs: this worker is to be told.
    Running(u32),
    /// It has already ended.
    Gone,
}

/// The outcome of a run, now or later.
#[derive(Debug)]
pub(crate) enum Watch {
    Ended(Outcome),
    Pending(oneshot::Receiver<Outcome>),
    /// It ended so long ago that it is not kept any more.
    Gone,
}
