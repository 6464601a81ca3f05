//! Runs that their jobs complete in transactions of their own.
//!
//! Whether such a run has succeeded is known when the transaction is over. So the end of its attempt waits for that, and counts by
//! what the attempt has come to only where nothing was committed:
//!
//! ```text
//!  complete ──▶ pending ──▶ committed ──▶ the run has succeeded, whatever its attempt says
//!                  └──────▶ rolled back: as if nothing had been
//! ```

use std::sync::Arc;

use tokio::sync::Notify;

use super::attempt::{Fault, Over};
use super::{Pool, Shared};
use crate::job::context::JobContext;
use crate::job::run::Outcome;
use crate::store::journal::{Commits, RunRecord};
use crate::store::memory::RunKey;
use crate::store::sqlite::{Outside, Ticket};
use crate::telemetry::panics;

/// How it becomes known that a transaction is over.
#[derive(Debug)]
pub(crate) struct Transactions {
    pub(crate) outside: Arc<Outside>,
    pub(crate) commits: Arc<Commits>,
    /// On the clock of a test, which must not go on while a commit is waited for.
    pub(crate) blocks: bool,
    pub(crate) told: Notify,
}

/// Runs that execute and have perhaps been completed. Nearly always none.
#[derive(Debug, Default)]
pub(super) struct Completing(Vec<Completion>);

#[derive(Debug)]
struct Completion {
    run: RunKey,
    ticket: Ticket,
    committed: bool,
}

/// Whether an attempt may complete its run.
#[derive(Debug)]
pub(crate) enum Completed {
    /// To be written, and to be told by [`Pool::completion_known`].
    Begun(Ticket, Box<RunRecord>),
    /// The run is not the attempt's any more.
    Lost,
    /// It is not one that is written down.
    Elsewhere,
}

impl Completing {
    fn has(&self, run: RunKey) -> bool {
        !self.0.is_empty() && self.0.iter().any(|completion| completion.run == run)
    }

    fn is_pending(&self, run: RunKey) -> bool {
        self.0.iter().any(|completion| completion.run == run && !completion.committed)
    }

    /// Forgets a run, and says whether it was committed.
    fn take(&mut self, run: RunKey) -> bool {
        let committed = self.0.iter().any(|completion| completion.run == run && completion.committed);
        self.0.retain(|completion| completion.run != run);
        committed
    }
}

impl Pool {
    /// Lets jobs complete their runs in transactions.
    pub(crate) fn heed(&self, transactions: Transactions) {
        let again = self.transactions.set(transactions);
        debug_assert!(again.is_ok(), "a pool has one store");
    }

    /// An attempt is about to complete its run in a transaction.
    pub(crate) fn complete(&self, cx: &JobContext) -> Completed {
        let Some(transactions) = self.transactions.get() else { return Completed::Elsewhere };
        let now = self.clock.now().wall;
        let mut guard = self.lock();
        let shared = &mut *guard;
        let executed = |run| Some((run, shared.memory.worker(run)?.0));
        let executed = shared.memory.key_of(cx.id).and_then(executed);
        // Turns end under the lock.
        let Some((run, worker)) = executed.filter(|_| !cx.is_over()) else { return Completed::Lost };
        if shared.completing.0.iter().any(|other| other.run == run && other.committed) {
            return Completed::Lost;
        }
        let laid = shared.workers.laid(worker, |laid| laid.notes.clone()).unwrap_or_default();
        let Some(record) = shared.memory.completed(run, laid, now) else { return Completed::Elsewhere };
        let ticket = transactions.outside.ticket();
        shared.completing.0.push(Completion { run, ticket, committed: false });
        Completed::Begun(ticket, Box::new(record))
    }

    /// The transaction that was to complete a run is over.
    pub(crate) fn completion_known(&self, ticket: Ticket, committed: bool) {
        let mut shared = self.lock();
        let completions = &mut shared.completing.0;
        if committed {
            let of_ticket = completions.iter_mut().find(|completion| completion.ticket == ticket);
            of_ticket.into_iter().for_each(|completion| completion.committed = true);
        } else {
            completions.retain(|completion| completion.ticket != ticket);
        }
        drop(shared);
        if let Some(transactions) = self.transactions.get() {
            transactions.told.notify_waiters();
        }
    }

    /// Waits until it is known whether the run of an attempt was completed, and lets it have succeeded then. Where nothing is
    /// written any more it was cut off: the next process finds out.
    pub(super) async fn settle_completion(&self, over: &mut Over) {
        let run = over.key;
        if let Some(transactions) = self.transactions.get() {
            transactions.settled(|| !self.lock_claims().completing.is_pending(run)).await;
        }
        let mut shared = self.lock_claims();
        let pending = shared.completing.is_pending(run);
        let committed = shared.completing.take(run);
        drop(shared);
        // What it has failed with is code of the user.
        let _ = panics::catch(|| drop(over.counts(committed, pending)));
    }
}

impl Shared {
    /// Whether it is to be settled before its end what a run has come to.
    #[inline]
    pub(super) fn is_completing(&self, run: RunKey) -> bool {
        self.completing.has(run)
    }

    /// The same for who cannot wait. What was not known is found out by the next process, so in this one the run is not tried
    /// again. Answers what is to be dropped outside of the lock.
    pub(super) fn settle_at_once(&mut self, over: &mut Over) -> Option<Box<Fault>> {
        let pending = self.completing.is_pending(over.key);
        let committed = self.completing.take(over.key);
        over.counts(committed, pending)
    }
}

impl Over {
    /// What a transaction says of it counts more than how the attempt has ended.
    fn counts(&mut self, committed: bool, pending: bool) -> Option<Box<Fault>> {
        match (&mut self.fault, committed) {
            (fault, true) => fault.take(),
            (Some(fault), false) if pending => {
                let cut_off = Box::new(Fault { outcome: Outcome::Interrupted, failure: None });
                Some(std::mem::replace(fault, cut_off))
            }
            _ => None,
        }
    }
}

impl Transactions {
    /// Waits until something is so that the end of a transaction brings about, or nothing is written any more.
    async fn settled(&self, is_known: impl Fn() -> bool) {
        loop {
            let mut told = std::pin::pin!(self.told.notified());
            told.as_mut().enable();
            if is_known() {
                return;
            }
            self.outside.wake(&self.commits);
            if !self.blocks {
                tokio::select! {
                    () = told => {}
                    () = self.commits.closed() => return,
                }
            } else if self.commits.committed_blocking(self.commits.request()).is_err() {
                return;
            } else {
                // Whoever is to end the transaction may be on this thread.
                tokio::task::yield_now().await;
            }
        }
    }
}
