//! Schedules over the cluster: whose definition is in force, and which slot fires once.
//!
//! ```text
//!       register ──► open ──fire──► open, with the next slot
//!                     │ ▲
//!   nobody live has   │ │ somebody registers it: it goes on where it stood, after a
//!   registered it for │ │ version that had not got it from now on, as another definition
//!   a while, or the   ▼ │
//!   last disowns it  closed
//! ```
//!
//! The row of a schedule is the truth. Nobody leads: whoever finds a slot due replaces it by the next in the row, and only
//! one finds it there. The definition in force is that of the live node that started last; others that register
//! the schedule with another definition do not fire it, and no more do those whose data of its zone are others, which would name other
//! slots. A node that knows a job *disowns* the schedules which others have declared for it and it has not: so that one which a new
//! version has changed or dropped is not fired by the old.

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
    /// The slot after `first`, which takes its place where another definition has just fired that.
    pub(crate) second: Option<DateTime<Utc>>,
    /// The program says it, for as long as it is this version.
    pub(crate) declared: bool,
}

/// Of the live nodes that have said something about a schedule `w` by any name of its job, the one that started last. What
/// stands behind `offset 0` is looked up for each name, whatever is known of the table.
macro_rules! last_word {
    ($what:literal, $lost:literal) => {
        concat!(
            "select ",
            $what,
            " from (
            select w.job as name
            union all
            select k.name from jobs.job j join jobs.job k on k.family = j.family and k.name <> j.name
            where j.name = w.job
        ) f cross join lateral (
            select g.node, g.definition from jobs.registration g where g.job = f.name and g.key = w.key offset 0
        ) g join jobs.node n on n.id = g.node
        where (n.heartbeat >= now() - ",
            $lost,
            "::interval or n.id = $1)
        order by n.started desc, n.id desc limit 1"
        )
    };
}
pub(super) use last_word;

/// Whether node `$1` may go by who is live: after an outage the others seem to be gone until their next heartbeat. Who has just
/// started is the last.
macro_rules! may_judge {
    ($lost:literal) => {
        concat!(
            "exists (
        select from jobs.node where id = $1 and (good_since <= now() - ",
            $lost,
            "::interval or good_since <= started)
    )"
        )
    };
}
pub(super) use may_judge;

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

/// How long a schedule may be without a node that registers it until it is closed: the program is being started again.
const ORPHANED: Duration = Duration::from_secs(600);

/// How long others may keep what is to be put in force: they fire, or do the same.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

const REGISTER: &str = "\
insert into jobs.registration (node, job, key, definition)
select $1, job, key, definition from unnest($2::text[], $3::text[], $4::text[]) as w (job, key, definition)
order by job, key
on conflict (job, key, node) do update set definition = excluded.definition";

/// Of the schedules that change hands with their meaning the rows, so that no slot fires meanwhile.
const LOCK_CHANGED: &str = "\
select from (
    select * from unnest($1::text[], $2::text[], $3::text[]) as w (job, key, definition) order by job, key
) w cross join lateral (
    select from jobs.schedule s where s.job = w.job and s.key = w.key
        and (split_part(s.definition, chr(9), 1) <> split_part(w.definition, chr(9), 1) or s.closed_since is not null) for update
) s";

/// Takes over the schedules of which this node is the last that started of those that are live. A schedule that is new or
/// was another goes on from now; one that is what it was goes on where it stands, and slots that have passed while it was closed
/// are missed like others. So does one of which only the data of its zone are other ones: its next slot is named already.
const ADOPT: &str = concat!(
    "\
with mine as (
    select w.job, w.key, w.definition, w.delay, w.declared, case
        when exists (select from jobs.run r where r.job = w.job and r.schedule = w.key and r.slot = w.first)
        then w.second else w.first end as first
    from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $7::interval[], $8::timestamptz[], $9::boolean[])
        as w (job, key, definition, first, delay, second, declared)
    where $1 = (",
    last_word!("n.id", "$6"),
    ")
    and ",
    may_judge!("$6"),
    "
    -- Who had the last word before may just have gone, and then it is inherited the next time.
    and not exists (
        select from jobs.job j join jobs.job k on k.family = j.family and k.name <> j.name
        cross join lateral (
            select from jobs.schedule o where o.job = k.name and o.key = w.key and o.closed_since is null offset 0
        ) o
        where j.name = w.job
    )
    order by w.job, w.key
), before as (
    select w.job, w.key from mine w cross join lateral (
        select * from jobs.schedule s where s.job = w.job and s.key = w.key offset 0
    ) s
    -- Of one that was disowned the ledger has said that it is closed.
    where s.definition <> '' and split_part(s.definition, chr(9), 1) <> split_part(w.definition, chr(9), 1)
), adopted as (
    insert into jobs.schedule as s (job, key, definition, node, anchor, next_slot, delay, declared)
    select job, key, definition, $1, now(), first, delay, declared from mine
    on conflict (job, key) do update set
        definition = excluded.definition,
        node = excluded.node,
        delay = excluded.delay,
        declared = excluded.declared,
        closed_since = null,
        orphaned_since = null,
        (anchor, next_slot, entry_first, entry_reason) = (
            select
                case when is_same then s.anchor else now() end,
                case when is_same then s.next_slot else excluded.next_slot end,
                case when is_same then s.entry_first end,
                case when is_same then s.entry_reason end
            from (select split_part(s.definition, chr(9), 1) = split_part(excluded.definition, chr(9), 1)) x (is_same)
        )
    where s.node <> excluded.node or s.definition <> excluded.definition
        or s.closed_since is not null or s.orphaned_since is not null
)
insert into jobs.ledger (job, key, first, last, count, reason)
select b.job, b.key, now(), now(), 1, 'changed' from before b
on conflict do nothing"
);

const IN_FORCE: &str = "\
select s.job, s.key, s.definition = w.definition and s.closed_since is null, s.anchor, s.next_slot,
    coalesce(s.entry_reason = 'closed', false)
from unnest($1::text[], $2::text[], $3::text[]) as w (job, key, definition)
cross join lateral (select * from jobs.schedule s where s.job = w.job and s.key = w.key offset 0) s";

/// Says of schedules that are declared for jobs which this node knows, by whatever name, that it does not have them.
const DISOWN: &str = "\
with known as (
    select name from unnest($2::text[]) as w (name)
    union
    select k.name from unnest($2::text[]) as w (name)
    join jobs.job j on j.name = w.name join jobs.job k on k.family = j.family
), own as (
    select job, key from unnest($3::text[], $4::text[]) as w (job, key)
    union
    select k.name, w.key from unnest($3::text[], $4::text[]) as w (job, key)
    join jobs.job j on j.name = w.job join jobs.job k on k.family = j.family
)
insert into jobs.registration (node, job, key)
select $1, s.job, s.key from jobs.schedule s join known on known.name = s.job
where s.declared and s.closed_since is null
    and (s.job, s.key) not in (select job, key from own)
on conflict do nothing";

/// Closes schedules that no live node has registered for a while. After an outage nobody seems to be live, so a node says
/// nothing until the others had time to come back.
const CLOSE: &str = concat!(
    "\
with orphans as (
    select w.job, w.key, w.orphaned_since from jobs.schedule w
    where w.closed_since is null and (w.orphaned_since is null or w.orphaned_since <= now() - $3::interval)
        and exists (select from jobs.node where id = $1 and good_since <= now() - $2::interval)
        and not exists (",
    last_word!("", "$2"),
    ")
    order by w.job, w.key
), closed as (
    update jobs.schedule s set
        orphaned_since = coalesce(s.orphaned_since, now()),
        closed_since = case when m.orphaned_since is not null then now() end,
        entry_first = case when m.orphaned_since is null then s.entry_first else now() end,
        entry_reason = case when m.orphaned_since is null then s.entry_reason else 'closed' end
    -- Unless somebody has registered it in this moment.
    from orphans m where s.job = m.job and s.key = m.key and s.closed_since is null
        and s.orphaned_since is not distinct from m.orphaned_since
    returning s.job, s.key, s.closed_since
)
insert into jobs.ledger (job, key, first, last, count, reason)
select job, key, closed_since, closed_since, 1, 'closed' from closed where closed_since is not null
on conflict do nothing"
);

/// Closes schedules of which the node that has the last word says that there are none. As what has no definition they come back
/// from then on.
const CLOSE_DISOWNED: &str = concat!(
    "\
with disowned as (
    select w.job, w.key, w.node from jobs.schedule w cross join lateral (",
    last_word!("g.definition", "$2"),
    ") l
    where w.closed_since is null and l.definition is null
        and ",
    may_judge!("$2"),
    "
    order by w.job, w.key
), closed as (
    update jobs.schedule s set
        closed_since = now(), definition = '', next_slot = null, entry_first = null, entry_reason = null
    from disowned d where s.job = d.job and s.key = d.key and s.node = d.node and s.closed_since is null
    returning s.job, s.key
)
insert into jobs.ledger (job, key, first, last, count, reason)
select job, key, now(), now(), 1, 'closed' from closed
on conflict do nothing"
);

const UNREGISTER: &str = "delete from jobs.registration where node = $1 and job = $2 and key = $3";

impl Db {
    /// Makes schedules known as this node's, and puts its definitions in force where it is for it to say.
    pub(crate) async fn register(&self, node: Id, schedules: &[Registration]) -> sqlx::Result<()> {
        self.put_in_force(node, schedules, true).await
    }

    /// Puts this node's definitions in force where it is the last that started of those that are live. It is for every
    /// heartbeat after which other nodes are there: the node that had the say may be gone.
    pub(crate) async fn adopt(&self, node: Id, schedules: &[Registration]) -> sqlx::Result<()> {
        self.put_in_force(node, schedules, false).await
    }

    async fn put_in_force(&self, node: Id, schedules: &[Registration], registers: bool) -> sqlx::Result<()> {
        let jobs: Vec<_> = schedules.iter().map(|schedule| schedule.job.as_str()).collect();
        let keys: Vec<_> = schedules.iter().map(|schedule| schedule.key.as_str()).collect();
        let definitions: Vec<_> = schedules.iter().map(|schedule| schedule.definition.as_str()).collect();
        let mut tx = self.begin(PATIENCE).await?;
        self.lock_families(&mut tx, &jobs).await?;
        if registers {
            let query = sqlx::query(self.sql(REGISTER)).bind(node).bind(&jobs).bind(&keys).bind(&definitions);
            query.execute(&mut *tx).await?;
        }
        self.inherit(&mut tx, node, &jobs, &keys).await?;
        let query = sqlx::query(self.sql(LOCK_CHANGED)).bind(&jobs).bind(&keys).bind(&definitions);
        query.execute(&mut *tx).await?;
        sqlx::query(self.sql(ADOPT))
            .bind(node)
            .bind(jobs)
            .bind(keys)
            .bind(definitions)
            .bind(schedules.iter().map(|schedule| schedule.first).collect::<Vec<_>>())
            .bind(interval(LOST))
            .bind(schedules.iter().map(|schedule| schedule.delay.map(interval)).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.second).collect::<Vec<_>>())
            .bind(schedules.iter().map(|schedule| schedule.declared).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// This node knows these jobs, and of their schedules those of `own`. The others that are declared for them are not fired
    /// by nodes that started before it.
    pub(crate) async fn disown(
        &self,
        node: Id,
        jobs: &[String],
        own: &[(String, String)],
    ) -> sqlx::Result<()> {
        let (of, keys): (Vec<_>, Vec<_>) = own.iter().map(|(job, key)| (job.as_str(), key.as_str())).unzip();
        sqlx::query(self.sql(DISOWN)).bind(node).bind(jobs).bind(of).bind(keys).execute(&self.pool).await?;
        self.close_disowned(node).await
    }

    async fn close_disowned(&self, node: Id) -> sqlx::Result<()> {
        sqlx::query(self.sql(CLOSE_DISOWNED)).bind(node).bind(interval(LOST)).execute(&self.pool).await?;
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
        let query = sqlx::query(self.sql(CLOSE)).bind(node).bind(interval(LOST)).bind(interval(ORPHANED));
        query.execute(&self.pool).await?;
        self.close_disowned(node).await
    }
}
