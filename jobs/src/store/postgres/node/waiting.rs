//! Who waits for the end of a run that any node may execute.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Shared;
use crate::clock::{Call, Clock, Hold};
use crate::store::postgres::end::Ended;
use crate::store::postgres::id::Id;
use crate::store::postgres::trouble::ask;

/// How soon the server is asked again, at first and at last.
const SOON: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_secs(1);

/// Those who wait, by the run that they wait for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    runs: Mutex<HashMap<Id, Vec<oneshot::Sender<Ended>>>>,
    /// Somebody has come, or a run has ended here.
    pub(super) changed: Call,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Vec<oneshot::Sender<Ended>>>> {
        // Each step leaves it whole.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, run: Id, clock: &Clock) -> oneshot::Receiver<Ended> {
        let (told, answer) = oneshot::channel();
        self.lock().entry(run).or_default().push(told);
        self.changed.call(Some(clock));
        answer
    }

    /// The runs that somebody still waits for.
    fn wanted(&self) -> Vec<Id> {
        let mut runs = self.lock();
        runs.retain(|_, waiting| {
            waiting.retain(|told| !told.is_closed());
            !waiting.is_empty()
        });
        runs.keys().copied().collect()
    }

    fn tell(&self, ended: &Ended) {
        for told in self.lock().remove(&ended.id).into_iter().flatten() {
            // Whoever has gone does not mind.
            let _ = told.send(ended.clone());
        }
    }
}

impl Shared {
    /// Asks about runs that somebody waits for: soon after he has come and after something has ended here, and then less and
    /// less often.
    pub(super) async fn watch_ends(&self) {
        let (mut wait, mut hold) = (SOON, Hold::default());
        loop {
            let wanted = self.waiting.wanted();
            if wanted.is_empty() {
                std::mem::take(&mut hold).let_go();
                hold = self.waiting.changed.called().await;
                wait = SOON;
                continue;
            }
            // Trouble with the server is told by whoever polls.
            if let Ok(ended) = ask(self.db.ended(&wanted)).await {
                ended.iter().for_each(|ended| self.waiting.tell(ended));
            }
            let patience = self.poll(wait);
            tokio::select! {
                biased;
                held = self.waiting.changed.called() => (wait, hold) = (SOON, held),
                held = self.clock.wait(patience, std::mem::take(&mut hold)) => {
                    (wait, hold) = ((wait * 2).min(LATEST), held);
                }
            }
        }
    }
}
