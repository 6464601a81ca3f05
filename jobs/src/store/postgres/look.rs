//! What a node that has nothing to do asks, in one statement.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::claim::all_lanes;
use super::db::Db;
use super::end::Fence;
use super::id::Id;

/// Delayed runs whose time has come are made available on the way. What is claimed, due or available is looked for only where the
/// whole is wanted: it may take long.
const LOOK: &str = concat!(
    all_lanes!(" and $2"),
    "\
, due as (
    select id from jobs.run where $2 and state = 'scheduled' and due <= now()
    order by due limit 1000 for update skip locked
), mine as materialized (
    select id, claim_no from (
        select id, claim_no from jobs.run where $2 and node = $3 and state = 'running' offset 0
    ) claimed where id > $1 order by id limit $5
), promoted as (
    update jobs.run r set state = 'available' where r.id = any (array(select id from due)) returning r.id
)
select
    (select count(*) from promoted),
    exists (
        select from lane l where l.job = any ($4)
            and not exists (select from jobs.queue q where q.name = l.queue and q.paused_since is not null)
    ),
    (select extract(epoch from min(due) - now())::float8 from jobs.run where $2 and state = 'scheduled' and due > now()),
    array(select id from jobs.run where node = $3 and cancel and finished is null),
    array(select id from mine order by id),
    array(select claim_no from mine order by id),
    array(select name from jobs.job where paused_since is not null),
    array(select name from jobs.queue where paused_since is not null),
    array(select job from jobs.schedule where delay is not null and next_slot is not null order by job, key),
    array(select key from jobs.schedule where delay is not null and next_slot is not null order by job, key),
    array(select next_slot from jobs.schedule where delay is not null and next_slot is not null order by job, key)"
);

/// Of so many claims it is looked at a time whether the node knows of them: an answer that is too long does not come.
const PAGE: usize = 1000;

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// How many delayed runs were made available.
    pub(crate) promoted: u32,
    /// Whether there is a run of these jobs that might be claimed.
    pub(crate) available: bool,
    /// How long it is to the next delayed run.
    pub(crate) next: Option<Duration>,
    /// Which of its claims somebody wants ended.
    pub(crate) cancelled: Vec<Id>,
    /// What this node has claimed and not ended, by the server's account: a page of it, in order.
    pub(crate) claimed: Vec<Fence>,
    /// Behind which claim the next page begins.
    pub(crate) behind: Id,
    pub(crate) paused_jobs: Vec<String>,
    pub(crate) paused_queues: Vec<String>,
    /// Schedules that count from the end of their runs, and when they fire next.
    pub(crate) delays: Vec<(String, String, DateTime<Utc>)>,
}

impl Db {
    /// Makes delayed runs available whose time has come, and tells what there is for a node that knows these jobs, what it has claimed
    /// `behind` a claim, and what of that somebody wants ended; nothing but the latter and what is paused or delayed where not the
    /// `whole` is wanted.
    pub(crate) async fn look(
        &self,
        node: Id,
        jobs: &[String],
        behind: Id,
        whole: bool,
    ) -> sqlx::Result<Look> {
        let query = sqlx::query(self.sql(LOOK)).bind(behind).bind(whole).bind(node).bind(jobs);
        let row = query.bind(PAGE as i64).fetch_one(&self.pool).await?;
        let (promoted, available): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
        let next: Option<f64> = row.try_get(2)?;
        let next = next.map(|next| Duration::try_from_secs_f64(next.max(0.0)).unwrap_or(Duration::MAX));
        let (jobs, keys): (Vec<String>, Vec<String>) = (row.try_get(8)?, row.try_get(9)?);
        let next_slots: Vec<DateTime<Utc>> = row.try_get(10)?;
        let delays = jobs.into_iter().zip(keys).zip(next_slots).map(|((job, key), next)| (job, key, next));
        let (claimed, claims): (Vec<Id>, Vec<i32>) = (row.try_get(4)?, row.try_get(5)?);
        let claimed: Vec<_> =
            claimed.into_iter().zip(claims).map(|(id, claim_no)| Fence { id, claim_no }).collect();
        // From the beginning again where there are no more.
        let behind = match claimed.last() {
            _ if !whole => behind,
            Some(last) if claimed.len() == PAGE => last.id,
            _ => Id(0),
        };
        Ok(Look {
            promoted: promoted as u32,
            available: promoted > 0 || available,
            next,
            cancelled: row.try_get(3)?,
            behind,
            claimed,
            paused_jobs: row.try_get(6)?,
            paused_queues: row.try_get(7)?,
            delays: delays.collect(),
        })
    }
}
