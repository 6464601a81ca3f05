//! Tells the server what has become of the runs that were claimed.

use std::sync::{Arc, Mutex, PoisonError};

use super::host::Host;
use super::outcome;
use crate::job::snapshot::RunState;
use crate::store::journal::Commits;
use crate::store::memory::{Became, ClaimResult};
use crate::store::postgres::{End, Ends, Follows};
use crate::telemetry::panics;

/// Tells the server what has become of the runs that were claimed.
pub(super) struct Recorder {
    pub(super) host: Arc<Host>,
    ends: Ends,
    /// Results are sent in the order in which they are taken.
    sending: Mutex<()>,
}

impl Recorder {
    pub(super) fn new(host: Arc<Host>, ends: Ends) -> Self {
        Self { host, ends, sending: Mutex::new(()) }
    }

    /// Does so whenever something has.
    pub(super) async fn run(&self, commits: &Commits) {
        struct Gone<'a>(&'a Commits);
        impl Drop for Gone<'_> {
            fn drop(&mut self) {
                self.0.close_calls();
            }
        }
        let _gone = Gone(commits);
        loop {
            let _hold = commits.called().await;
            // It is not to end by a fault of ours.
            if panics::catch(|| self.flush()).unwrap_or_default() {
                // There is room for others.
                self.ends.wake();
            }
        }
    }

    /// Sends what there is, and answers whether there was anything.
    pub(super) fn flush(&self) -> bool {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let results = self.host.pool.take_results();
        let any = !results.is_empty();
        for result in results {
            self.send(result);
        }
        any
    }

    fn send(&self, result: ClaimResult) {
        let ClaimResult { id, became, started, finished, details } = result;
        // None of a claim that was lost: nobody asks any more.
        let Some(claim) = self.host.settle(id) else { return };
        let (follows, outcome) = match became {
            Became::Back => return self.ends.give_back(claim.fence),
            Became::Ended(outcome) => (Follows::End(RunState::of(&outcome).as_str()), Some(outcome)),
            Became::Retry { due } => {
                let failed = details.as_ref().and_then(|details| details.failures.last());
                (Follows::Retry(due.to_chrono()), failed.map(|last| last.outcome.clone()))
            }
        };
        let (word, message) = outcome.as_ref().map_or(("failed", None), outcome::written);
        let record = details.filter(|details| !details.is_empty());
        self.ends.end(End {
            fence: claim.fence,
            slot_of: claim.slot_of,
            follows,
            started: started.to_chrono(),
            finished: finished.to_chrono(),
            outcome: word,
            message,
            // Everything in it can be written as JSON.
            record: record.and_then(|details| serde_json::to_string(&details).ok()),
        });
    }
}
