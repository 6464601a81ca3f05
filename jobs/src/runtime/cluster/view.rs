//! The cluster as a whole: its processes, and what waits and runs in all of them.

use super::Cluster;
use crate::runtime::Jobs;
use crate::runtime::error::SubmitError;
use crate::runtime::nodes::ClusterSnapshot;
use crate::store::postgres::{Schema, as_sql};

impl Jobs {
    /// The processes of the cluster, and what waits and runs in all of them; none on a store that only this process uses.
    ///
    /// # Errors
    ///
    /// A server that does not answer; an instance that has been shut down.
    pub async fn cluster(&self) -> Result<Option<ClusterSnapshot>, SubmitError> {
        match self.inner.cluster.get() {
            Some(cluster) => cluster.view().await.map(Some),
            None => Ok(None),
        }
    }
}

impl Cluster {
    async fn view(&self) -> Result<ClusterSnapshot, SubmitError> {
        let census = self.take_census(Vec::new()).await?;
        let of = |(job, account): (String, super::census::Account)| {
            account.by_state().map(|(state, count)| (job.clone(), state, count)).collect::<Vec<_>>()
        };
        let mut live: Vec<_> = census.jobs.into_iter().flat_map(of).collect();
        live.sort();
        Ok(ClusterSnapshot { nodes: census.nodes, live })
    }
}
/// The tables of the store on PostgreSQL as SQL, for teams that make them themselves: to be run in one transaction, in an empty
/// schema of that name. A program whose user may make them does so at its start.
///
/// ```
/// let sql = jobs::postgres_schema("jobs").expect("a name that needs no quotes");
/// assert!(sql.contains("create table \"jobs\".run"));
/// ```
///
/// None for a name that no schema of `jobs.store` can have: 1 to 58 of `a-z`, `0-9` and `_`, not beginning with a digit, nor
/// with `pg_`.
#[must_use]
pub fn postgres_schema(schema: &str) -> Option<String> {
    Schema::parse(schema).map(|schema| as_sql(&schema))
}
