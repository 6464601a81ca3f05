//! The processes of a cluster, as others see them.
#![cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, unreachable_pub, reason = "there are no other processes")
)]

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::job::RunState;

/// A cluster at one moment: from [`Jobs::cluster`](crate::Jobs::cluster).
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
    /// The same of each job, the most first.
    pub runs: Vec<(String, u64)>,
}
