//! The cluster as a whole: its processes, and what waits and runs in all of them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Cluster;
use crate::job::snapshot::RunState;
use crate::runtime::Jobs;
use crate::runtime::error::SubmitError;
use crate::store::postgres::{Schema, as_sql};

/// A cluster at one moment: from [`Jobs::cluster`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterSnapshot {
    /// Its processes, the oldest first.
    pub nodes: Vec<NodeSnapshot>,
    /// How many runs of each job are live, by the name of the job and their state, of all processes.
    pub live: Vec<(String, RunState, u64)>,
}

/// A process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeSnapshot {
    /// Its host and process: `web-7:4711`.
    pub name: String,
    /// Whether it is the one that was asked.
    pub is_this: bool,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// How long it has said nothing. It says that it is there every 5 s; after 15 s others take its runs.
    pub silent: Duration,
    /// How many runs it has claimed.
    pub running: u64,
}

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
        let asked = self.steer(|db| async move { Ok((db.nodes().await?, db.counts().await?)) });
        let (nodes, counts) = asked.await?;
        let this = self.node().map(|node| node.id());
        let mut live: Vec<_> = counts
            .into_iter()
            .filter_map(|(job, state, count)| {
                let state = RunState::ALL.into_iter().find(|known| known.as_str() == state)?;
                Some((job, state, u64::try_from(count).unwrap_or(0)))
            })
            .collect();
        live.sort();
        let node = |row: crate::store::postgres::NodeRow| NodeSnapshot {
            is_this: this == Some(row.id),
            name: row.name,
            started_at: row.started,
            silent: row.silent,
            running: u64::try_from(row.running).unwrap_or(0),
        };
        Ok(ClusterSnapshot { nodes: nodes.into_iter().map(node).collect(), live })
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
/// None for a name that no schema of `jobs.store` can have: 1 to 63 of `a-z`, `0-9` and `_`, not beginning with a digit, nor
/// with `pg_`.
#[must_use]
pub fn postgres_schema(schema: &str) -> Option<String> {
    Schema::parse(schema).map(|schema| as_sql(&schema))
}
