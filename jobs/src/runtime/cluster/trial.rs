//! What a test on virtual time does to a cluster.

use super::Cluster;
use crate::clock::Timestamp;
use crate::job::RunState;
use crate::job::run::RunId;

impl Cluster {
    /// Lets runs start that a test has held, each at its time. Answers those that are there.
    pub(in crate::runtime) async fn release(&self, runs: Vec<(RunId, Timestamp)>) -> Vec<RunId> {
        let runs: Vec<_> = runs.into_iter().map(|(id, due)| (id.into(), due.to_chrono())).collect();
        let released = self.look(move |db| async move { db.release(&runs).await }).await;
        released.unwrap_or_default().into_iter().map(|id| RunId::from_u128(id.0)).collect()
    }

    /// Whether nothing is queued and nothing runs, of any process.
    pub(in crate::runtime) async fn is_at_rest(&self) -> bool {
        let Ok(census) = self.take_census(Vec::new()).await else { return false };
        let mut live = census.jobs.values().flat_map(super::census::Account::by_state);
        live.all(|(state, _)| state == RunState::Scheduled)
    }
}
