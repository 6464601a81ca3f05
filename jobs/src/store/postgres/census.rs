//! What there is in numbers: processes, live runs of each job, and how the last runs ended.
//!
//! No question looks at all of what is kept: live runs have indexes of their own, and of the history only the last runs of
//! a job are read.
#![cfg_attr(
    not(feature = "web"),
    allow(dead_code, reason = "the status page asks for more than `Jobs::cluster`")
)]

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::db::Db;
use super::id::Id;

const LIVE: &str = "\
with available as (
    select queue, job, count(*) as runs, min(due) as first from jobs.run where state = 'available' group by queue, job
)
select queue, job, 'available' as state, runs, 0::bigint as retries, min(first) over (partition by queue) as due
from available
union all
select queue, job, state, count(*), 0, null from jobs.run where state = 'running' group by queue, job, state
union all
select queue, job, state, count(*), count(*) filter (where attempt > 0), null
from jobs.run where state = 'scheduled' group by queue, job, state
union all
select queue, job, state, count(*), 0, null
from jobs.run where slot is not null and state = 'waiting' group by queue, job, state";

const NODES: &str = "\
select id, name, started, greatest(extract(epoch from now() - heartbeat), 0)::float8
from jobs.node order by started, id";

const CLAIMS: &str = "\
select node, job, count(*) from jobs.run where state = 'running' and node is not null
group by node, job order by count(*) desc, job";

/// What never started is no previous run.
const LAST: &str = "\
select n.job, r.id, r.slot, r.started, r.finished, r.outcome, r.message
from unnest($1::text[]) as n (job) cross join lateral (
    select * from jobs.run r where r.job = n.job and r.finished is not null and r.started is not null
    order by r.finished desc limit 1
) r";

const ENDED: &str = "\
select n.job, r.state, extract(epoch from r.finished - r.started)::float8
from unnest($1::text[]) as n (job) cross join lateral (
    select state, started, finished from jobs.run r where r.job = n.job and r.finished is not null
    order by r.finished desc limit $2
) r";

/// Live runs that have a queue, a job and a state in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveRuns {
    pub(crate) queue: String,
    pub(crate) job: String,
    pub(crate) state: String,
    pub(crate) runs: u64,
    /// How many of those that wait for their time wait to be tried again.
    pub(crate) retries: u64,
    /// Since when the one may start that waits for a claim longest in the queue.
    pub(crate) oldest: Option<DateTime<Utc>>,
}

/// A process of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeRow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) started: DateTime<Utc>,
    /// How long it has said nothing.
    pub(crate) silent: Duration,
    /// The runs that it has claimed, of each job so many, the most first.
    pub(crate) runs: Vec<(String, u64)>,
}

/// The run of a job that ended last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastRun {
    pub(crate) job: String,
    pub(crate) id: Id,
    pub(crate) slot: Option<DateTime<Utc>>,
    pub(crate) started: DateTime<Utc>,
    pub(crate) finished: DateTime<Utc>,
    pub(crate) outcome: Option<String>,
    pub(crate) message: Option<String>,
}

/// A run that has ended: of which job, in which state, after how long where it has started.
pub(crate) type EndedRun = (String, String, Option<Duration>);

impl Db {
    /// How many runs are live.
    pub(crate) async fn live(&self) -> sqlx::Result<Vec<LiveRuns>> {
        let live = |row: PgRow| {
            Ok(LiveRuns {
                queue: row.try_get(0)?,
                job: row.try_get(1)?,
                state: row.try_get(2)?,
                runs: number(row.try_get(3)?),
                retries: number(row.try_get(4)?),
                oldest: row.try_get(5)?,
            })
        };
        sqlx::query(self.sql(LIVE)).try_map(live).fetch_all(&self.pool).await
    }

    /// The queues that are paused.
    pub(crate) async fn paused_queues(&self) -> sqlx::Result<Vec<String>> {
        let sql = "select name from jobs.queue where paused_since is not null order by name";
        sqlx::query_scalar(self.sql(sql)).fetch_all(&self.pool).await
    }

    /// Whether there is anything to steer in a queue.
    pub(crate) async fn has_queue(&self, name: &str) -> sqlx::Result<bool> {
        // Each has an index of its own; of the last two all is read.
        let sql = "select exists (select from jobs.queue where name = $1)
            or exists (select from jobs.run where queue = $1 and state = 'available')
            or exists (select from jobs.run where queue = $1 and state = 'running')
            or exists (select from jobs.run where queue = $1 and state = 'scheduled')";
        sqlx::query_scalar(self.sql(sql)).bind(name).fetch_one(&self.pool).await
    }

    /// The processes of the cluster, the oldest first.
    pub(crate) async fn nodes(&self) -> sqlx::Result<Vec<NodeRow>> {
        let claims: Vec<(Id, String, i64)> = sqlx::query_as(self.sql(CLAIMS)).fetch_all(&self.pool).await?;
        let node = |row: PgRow| {
            let id = row.try_get(0)?;
            let its = claims.iter().filter(|(node, ..)| *node == id);
            Ok(NodeRow {
                id,
                name: row.try_get(1)?,
                started: row.try_get(2)?,
                silent: Duration::try_from_secs_f64(row.try_get(3)?).unwrap_or(Duration::MAX),
                runs: its.map(|(_, job, count)| (job.clone(), number(*count))).collect(),
            })
        };
        sqlx::query(self.sql(NODES)).try_map(node).fetch_all(&self.pool).await
    }

    /// The run of each of some jobs that ended last.
    pub(crate) async fn last_of_each(&self, jobs: &[String]) -> sqlx::Result<Vec<LastRun>> {
        let last = |row: PgRow| {
            Ok(LastRun {
                job: row.try_get(0)?,
                id: row.try_get(1)?,
                slot: row.try_get(2)?,
                started: row.try_get(3)?,
                finished: row.try_get(4)?,
                outcome: row.try_get(5)?,
                message: row.try_get(6)?,
            })
        };
        sqlx::query(self.sql(LAST)).bind(jobs).try_map(last).fetch_all(&self.pool).await
    }

    /// The last runs of each of some jobs that have ended, so many of each, the last first.
    pub(crate) async fn last_ended(&self, jobs: &[String], most: i64) -> sqlx::Result<Vec<EndedRun>> {
        let ended = |row: PgRow| {
            let took: Option<f64> = row.try_get(2)?;
            let took = took.map(|took| Duration::try_from_secs_f64(took.max(0.0)).unwrap_or_default());
            Ok((row.try_get(0)?, row.try_get(1)?, took))
        };
        sqlx::query(self.sql(ENDED)).bind(jobs).bind(most).try_map(ended).fetch_all(&self.pool).await
    }
}

fn number(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
