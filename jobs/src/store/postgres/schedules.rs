//! Schedules over the cluster: whose definition is in force, and which slot fires once.
//!
//! ```text
//!  register ──► open ──fire──► open, with the next slot
//!                │ ▲
//!   nobody live  │ │ somebody registers it: it goes on where it stood,
//!   registers it ▼ │ another definition from now on
//!              closed
//! ```
//!
//! The row of a schedule is the truth. Nobody leads: whoever finds a slot due replaces it by the next in the row, and only
//! one finds it there. The definition in force is that of the live node that started last; others that register
//! the schedule with another definition do not fire it, and no more do those whose data of its zone are others, which would name other
//! slots.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::db::{Db, interval};
use super::id::Id;
use super::nodes::LOST;

/// A schedule of this node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) job: String,
    pub(crate) key: String,
    /// All that decides when it fires, as canonical text; behind a tab what tells the data of its zone from others.
    pub(crate) definition: String,
    /// The slot that fires next if the schedule is new, or was another.
    pub(crate) first: Option<DateTime<Utc>>,
    /// Its next slot is so long after the end of the run of the last.
    pub(crate) delay: Option<Duration>,
}

/// What holds for a schedule of this node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InForce {
    pub(crate) job: String,
    pub(crate) key: String,
    /// By another definition it is not this node's to fire.
    pub(crate) is_ours: bool,
    pub(crate) anchor: DateTime<Utc>,
    pub(crate) next_slot: Option<DateTime<Utc>>,
    /// It was closed, and no slot has come since.
    pub(crate) was_closed: bool,
}

/// A schedule that nobody has registered for this long is closed: a program that starts anew comes back before.
const ABANDONED: Duration = Duration::from_secs(5 * 60);

const REGISTER: &str = "\
insert into jobs.registration (node, job, key, definition)
select $1, job, key, definition from unnest($2::text[], $3::text[], $4::text[]) as w (job, key, definition)
order by job, key
on conflict (job, key, node) do update set definition = excluded.definition";

/// Takes over the schedules of which this node is the last that started of those that are live. A schedule that is new or
/// was another goes on from now; one that is what it was goes on where it stands, and slots that have passed while it was closed
/// are missed like others. So does one of which only the data of its zone are other ones: its next slot is named already.
const ADOPT: &str = "\
with mine as (
    select w.* from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $7::interval[])
        as w (job, key, definition, first, delay)
    where $1 = (
        select n.id from jobs.registration g join jobs.node n on n.id = g.node
        where g.job = w.job and g.key = w.key and (n.heartbeat >= now() - $6::interval or n.id = $1)
        order by n.started desc, n.id desc limit 1
    )
    order by w.job, w.key
), before as (
    select s.job, s.key, s.definition from jobs.schedule s join mine using (job, key)
), adopted as (
    insert into jobs.schedule as s (job, key, definition, node, anchor, next_slot, delay)
    select job, key, definition, $1, now(), first, delay from mine
    on conflict (job, key) do update set
        definition = excluded.definition,
        node = excluded.node,
        delay = excluded.delay,
        closed_since = null,
        missing_since = null,
        (anchor, next_slot, entry_first, entry_reason) = (
            select
                case when is_same then s.anchor else now() end,
                case when is_same then s.next_slot else excluded.next_slot end,
                case when is_same then s.entry_first end,
                case when is_same then s.entry_reason end
            from (select split_part(s.definition, chr(9), 1) = split_part(excluded.definition, chr(9), 1)) x (is_same)
        )
    where s.node <> excluded.node or s.definition <> excluded.definition
        or s.closed_since is not null or s.missing_since is not null
    returning s.job, s.key
)
insert into jobs.ledger (job, key, first, last, count, reason)
select b.job, b.key, now(), now(), 1, 'changed'
from before b join mine m using (job, key) join adopted a using (job, key)
where split_part(b.definition, chr(9), 1) <> split_part(m.definition, chr(9), 1)
on conflict do nothing";

const IN_FORCE: &str = "\
select s.job, s.key, s.definition = w.definition and s.closed_since is null, s.anchor, s.next_slot,
    coalesce(s.entry_reason = 'closed', false)
from unnest($1::text[], $2::text[], $3::text[]) as w (job, key, definition)
join jobs.schedule s on s.job = w.job and s.key = w.key";

/// Closes schedules that no live node has registered for a while. After an outage nobody seems to be live, so a node says
/// nothing until the others had time to come back.
const CLOSE: &str = "\
with missing as (
    select s.job, s.key, s.missing_since from jobs.schedule s
    where s.closed_since is null and (s.missing_since is null or s.missing_since <= now() - $3::interval)
        and exists (select from jobs.node where id = $1 and good_since <= now() - $2::interval)
        and not exists (
            select from jobs.registration g join jobs.node n on n.id = g.node
            where g.job = s.job and g.key = s.key and n.heartbeat >= now() - $2::interval
        )
    order by s.job, s.key
), closed as (
    update jobs.schedule s set
        missing_since = coalesce(s.missing_since, now()),
        closed_since = case when m.missing_since is not null then now() end,
        entry_first = case when m.missing_since is null then s.entry_first else now() end,
        entry_reason = case when m.missing_since is null then s.entry_reason else 'closed' end
    -- Unless somebody has registered it in this moment.
    from missing m where s.job = m.job and s.key = m.key and s.closed_since is null
        and s.missing_since is not distinct from m.missing_since
    returning s.job, s.key, s.closed_since
)
insert into jobs.ledger (job, key, first, last, count, reason)
select job, key, closed_since, closed_since, 1, 'closed' from closed where closed_since is not null
on conflict do nothing";

const UNREGISTER: &str = "delete from jobs.registration where node = $1 and job = $2 and key = $3";

impl Db {
    /// Makes schedules known as this node's, and puts its definitions in force where it is for it to say.
    pub(crate) async fn register(&self, node: Id, schedules: &[Registration]) -> sqlx::Result<()> {
        sqlx::query(self.sql(REGISTER))
            .bind(node)
            .bind(schedules.iter().map(|schedule| schedule.job.as_str()).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.key.as_str()).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.definition.as_str()).collect::<Vec<_>>())
            .execute(&self.pool)
            .await?;
        self.adopt(node, schedules).await
    }

    /// Puts this node's definitions in force where it is the last that started of those that are live. It is for every
    /// heartbeat: the node that had the say may be gone.
    pub(crate) async fn adopt(&self, node: Id, schedules: &[Registration]) -> sqlx::Result<()> {
        sqlx::query(self.sql(ADOPT))
            .bind(node)
            .bind(schedules.iter().map(|schedule| schedule.job.as_str()).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.key.as_str()).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.definition.as_str()).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.first).collect::<Vec<_>>())
            .bind(interval(LOST))
            .bind(schedules.iter().map(|schedule| schedule.delay.map(interval)).collect::<Vec<_>>())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What holds for schedules of this node's.
    pub(crate) async fn in_force(&self, schedules: &[Registration]) -> sqlx::Result<Vec<InForce>> {
        sqlx::query(self.sql(IN_FORCE))
            .bind(schedules.iter().map(|schedule| schedule.job.as_str()).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.key.as_str()).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.definition.as_str()).collect::<Vec<_>>())
            .try_map(|row: PgRow| {
                Ok(InForce {
                    job: row.try_get(0)?,
                    key: row.try_get(1)?,
                    is_ours: row.try_get(2)?,
                    anchor: row.try_get(3)?,
                    next_slot: row.try_get(4)?,
                    was_closed: row.try_get(5)?,
                })
            })
            .fetch_all(&self.pool)
            .await
    }

    /// Takes a schedule from this node; the others that register it go on.
    pub(crate) async fn unregister(&self, node: Id, job: &str, key: &str) -> sqlx::Result<()> {
        sqlx::query(self.sql(UNREGISTER)).bind(node).bind(job).bind(key).execute(&self.pool).await?;
        Ok(())
    }

    /// Closes schedules that no live node has registered for a while, as this node sees it.
    pub(crate) async fn close_schedules(&self, node: Id) -> sqlx::Result<()> {
        let query = sqlx::query(self.sql(CLOSE)).bind(node).bind(interval(LOST)).bind(interval(ABANDONED));
        query.execute(&self.pool).await?;
        Ok(())
    }
}
