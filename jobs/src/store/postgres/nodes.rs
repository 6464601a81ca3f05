//! Which processes are there, and what becomes of the runs of one that is lost.
//!
//! All times are the server's. A node that hears nothing from the server for a while cannot tell whether the others do, so
//! after a gap in its own heartbeats it takes runs from nobody until the others had time to come back; and what is taken
//! from a node that was lost in such a gap does not speak against the run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::db::{Db, interval};
use super::id::Id;

/// A node that has not said so for this long is lost.
pub(crate) const LOST: Duration = Duration::from_secs(15);

/// A node whose own heartbeats came so far apart does not know what became of the others' meanwhile: as much before [`LOST`] as lies
/// between two of them, for theirs may be the older by that.
pub(super) const GAP: Duration = Duration::from_secs(8);

/// So long one after another runs start that may be what their nodes died of.
const APART: Duration = Duration::from_secs(2 * 60);

const JOIN: &str = "\
insert into jobs.node (id, name, started, heartbeat, good_since) values ($1, $2, coalesce($3, now()), now(), now())
on conflict (id) do update set heartbeat = now(), good_since = now()
returning started";

/// Where the server's clock was set back, the last heartbeat lies in the future, which is a gap as well.
const BEAT: &str = "\
update jobs.node set
    gap_from = case when heartbeat not between now() - $2 and now() + $2 then heartbeat else gap_from end,
    good_since = case when heartbeat not between now() - $2 and now() + $2 then now() else least(good_since, now()) end,
    heartbeat = now()
where id = $1
returning clock_timestamp(), (select array_agg(id order by id) from jobs.node),
    exists (select from jobs.node o where o.id <> $1 and o.heartbeat not between now() - $3 and now() + $3)
        or (good_since <> started and good_since > now() - $3)";

/// What it has claimed and not begun has used no attempt, and its loss does not count. What it may be executing is rescued.
const LEAVE: &str = "\
with back as (
    update jobs.run r set node = null, started = null, attempt = r.attempt - 1,
        state = case when r.cancel then 'cancelled' else 'available' end,
        finished = case when r.cancel then now() end, outcome = case when r.cancel then 'cancelled' end,
        unique_key = case when not r.cancel then r.unique_key end
    where r.node = $1 and r.state = 'running' and r.id <> all ($2)
    returning case when r.cancel and r.slot is not null then r.job end as ended
), gone as (
    delete from jobs.node where id = $1
)
select distinct ended from back where ended is not null";

/// What it executes still is cut off by the end of its process, which does not count against it.
const CLOSE: &str = "update jobs.node set is_closing = true where id = $1";

/// What nobody is there for any more.
const LEFT: &str = "\
select case when not exists (select from jobs.node) then
    (select count(*) from jobs.run where state = 'available')
    + (select count(*) from jobs.run where state = 'scheduled')
    + (select count(*) from jobs.run where slot is not null and state = 'waiting')
else 0 end";

/// The second rescue of a run waits, the third is the last: by then the run is the likeliest reason why its nodes die.
///
/// Others that only were there must part from it, and they may execute for hours: those that wait start minutes apart, within
/// a quarter of an hour, and of several that were rescued twice and executed on one node its loss speaks against the one that started last, and
/// of those that were claimed together against the first in line.
const RESCUE: &str = "\
with me as (
    -- Unless the clock was set since its heartbeat, or the server has stood still.
    select * from jobs.node where id = $1 and good_since <= now() - $2 and heartbeat between now() - $5 and now()
), lost as (
    select n.id, not n.is_closing
        and not coalesce(n.heartbeat >= me.gap_from - $2
            and (n.heartbeat < me.good_since or n.heartbeat > now() + $2), false) as counts
    from jobs.node n, me where n.heartbeat not between now() - $2 and now() + $2 and n.id <> me.id
    for update of n skip locked
), found as (
    select r.id, r.rescues + (coalesce(l.counts, true) and (r.rescues < 2 or not exists (
        select from jobs.run o where o.node = r.node and o.state = 'running' and o.rescues >= 2
            and (o.started, -r.priority::integer, r.id) > (r.started, -o.priority::integer, o.id)
    )))::integer as rescues
    from jobs.run r left join lost l on l.id = r.node
    where r.state = 'running' and exists (select from me)
        -- Or a node that is gone: its runs were locked when the others were taken.
        and (l.id is not null or not exists (select from jobs.node n where n.id = r.node))
    for update of r skip locked
), judged as (
    select *, row_number() over (partition by rescues order by random()) - 1 as place from found
), rescued as (
    update jobs.run r set
        node = null, started = null,
        rescues = f.rescues,
        retries = r.retries + 1,
        state = case
            when r.cancel then 'cancelled'
            when f.rescues >= 3 then 'dead'
            when f.rescues = 2 then 'scheduled'
            else 'available' end,
        due = case
            when f.rescues = 2 then now() + $3 * (0.5 + random()) + $4 * (f.place % 8)
            else now() end,
        finished = case when r.cancel or f.rescues >= 3 then now() end,
        outcome = case when r.cancel then 'cancelled' when f.rescues >= 3 then 'quarantined' end,
        message = case when f.rescues >= 3 and not r.cancel
            then 'the nodes that tried it were lost three times: it is not tried again by itself' end,
        unique_key = case when r.cancel or f.rescues >= 3 then null else r.unique_key end
    from judged f where r.id = f.id
    returning r.id, r.state
), gone as (
    delete from jobs.node n using lost l where n.id = l.id returning n.id
)
select id, state from rescued";

/// A run that was taken from a node that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rescued {
    pub(crate) id: Id,
    /// `available`, `scheduled`, or it has ended.
    pub(crate) state: String,
}

impl Db {
    /// Makes this node known, or known again after it was taken for lost, and answers when it `started`: that stays what it
    /// was, so that one which comes back has not the last word over those which started after it.
    pub(crate) async fn join(
        &self,
        node: Id,
        name: &str,
        started: Option<DateTime<Utc>>,
    ) -> sqlx::Result<DateTime<Utc>> {
        sqlx::query_scalar(self.sql(JOIN)).bind(node).bind(name).bind(started).fetch_one(&self.pool).await
    }

    /// Says that this node is there, and answers with the server's time, the nodes that are, and whether one of them may be lost, or
    /// this one was cut off just now.
    /// None when this one was taken for lost: its claims are not its own any more. After a longer `gap` than this it judges nobody for a
    /// while.
    pub(crate) async fn beat(
        &self,
        node: Id,
        gap: Duration,
    ) -> sqlx::Result<Option<(DateTime<Utc>, Vec<Id>, bool)>> {
        let query = sqlx::query_as(self.sql(BEAT)).bind(node).bind(interval(gap)).bind(interval(LOST));
        query.fetch_optional(&self.pool).await
    }

    /// This node goes, and gives back the runs that it has claimed but for those that it has `begun`. Answers the jobs of whose
    /// slots runs have ended instead.
    pub(crate) async fn leave(&self, node: Id, begun: &[Id]) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(self.sql(LEAVE)).bind(node).bind(begun).fetch_all(&self.pool).await
    }

    /// The program of this node has shut down, and some of its runs go on until its process ends.
    pub(crate) async fn close(&self, node: Id) -> sqlx::Result<()> {
        sqlx::query(self.sql(CLOSE)).bind(node).execute(&self.pool).await?;
        Ok(())
    }

    /// How many runs wait, where no node is left that could execute them.
    pub(crate) async fn left(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar(self.sql(LEFT)).fetch_one(&self.pool).await
    }

    /// Takes the runs of nodes that are lost, and forgets these.
    pub(crate) async fn rescue(&self, node: Id) -> sqlx::Result<Vec<Rescued>> {
        sqlx::query(self.sql(RESCUE))
            .bind(node)
            .bind(interval(LOST))
            .bind(interval(Duration::from_secs(30)))
            .bind(interval(APART))
            .bind(interval(GAP))
            .try_map(|row: PgRow| Ok(Rescued { id: row.try_get(0)?, state: row.try_get(1)? }))
            .fetch_all(&self.pool)
            .await
    }
}
