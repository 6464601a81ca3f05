//! Jobs that were renamed: the names that one job has had are a *family*.
//!
//! Nodes that know a job by its old name work beside those that know it by the new one, which have said so: the old name is an
//! alias. What is known of a schedule moves to the name by which the node knows it whose definition is in force, forward and
//! back, so that a slot fires under one name. Runs keep the name under which they were made, but for the live ones of such a
//! schedule, which have an order to keep. Limits and `unique` are of the family: its name is that of the row which has the lock
//! and the bucket, and under which submissions stand for each other.

use sqlx::PgConnection;

use super::db::{Db, LOCK_PATIENCE, interval, settle};
use super::id::Id;
use super::nodes::LOST;
use super::schedules::{PATIENCE, last_word, may_judge};
use super::steer::KNOW;
use super::trouble::{Trouble, ask};

/// Whose families may change by what a node knows.
const LOCK_KIN: &str = "\
select from jobs.job where name = any ($2::text[]) or family in (
    select family from jobs.job where name = any ($1::text[]) and family is not null
) order by name for update";

/// Names that this node knows as different jobs are of one family no more. Those that it does not know go on as one of their own; all
/// of them with what the rate has left.
const PART: &str = "\
with known as (select * from unnest($1::text[], $2::text[]) as w (name, job)
), parted as (
    select j.family from known w join jobs.job j on j.name = w.name where j.family is not null
    group by j.family having count(distinct w.job) > 1
), rest as (
    select k.family, case when count(*) > 1 then min(k.name) end as new
    from parted p join jobs.job k on k.family = p.family where k.name <> all ($1) group by k.family
)
update jobs.job j set
    family = case when j.name <> all ($1) then r.new end, unsettled = true, full_at = l.full_at, full_per = l.full_per
from parted p join jobs.job l on l.name = p.family left join rest r on r.family = p.family
where j.family = p.family";

/// Whoever has paused the job by one of its names has paused it, and what its rate has left is left by all of them.
///
/// The family has the name under which runs stand for others, where one of them has some: most often the old one.
const UNITE: &str = "\
with kin as (
    select * from jobs.job
    where name = any ($2) or family in (select family from jobs.job where name = any ($2))
), whole as (
    select
        coalesce(
            min(family),
            min(name) filter (where exists (
                select from jobs.run r where r.unique_job = kin.name and r.unique_key is not null
            )),
            min(name) filter (where name <> $1),
            $1
        ) as family,
        min(paused_since) as paused_since
    from kin
), bucket as (
    select full_at, full_per from kin where full_at is not null
    order by extract(epoch from full_at - now()) / extract(epoch from full_per) desc limit 1
)
update jobs.job j set
    family = w.family, unsettled = true, paused_since = coalesce(j.paused_since, w.paused_since),
    full_at = (select full_at from bucket), full_per = (select full_per from bucket)
from whole w
where j.name in (select name from kin) and exists (select from kin where kin.family is distinct from w.family)";

/// Runs that stand for others do so by the name of their family. Where there are two of one kind now, the other stands for none but
/// itself. What somebody has locked is passed over.
const MOVE_UNIQUE: &str = "\
with page as (
    select r.id, r.job, r.unique_key from jobs.run r where r.unique_job = $1 and r.unique_key > $2
    order by r.unique_key limit $3 for update skip locked
), moved as (
    update jobs.run r set unique_job = coalesce(j.family, j.name) from page p join jobs.job j on j.name = p.job
    where r.id = p.id and r.unique_job = $1 and r.unique_key is not null and coalesce(j.family, j.name) <> $1
        and not exists (
            select from jobs.run o where o.unique_job = coalesce(j.family, j.name) and o.unique_key = p.unique_key
        )
)
select unique_key from page order by unique_key desc limit 1";

/// When nothing is left to move.
const SETTLE: &str = "\
update jobs.job set unsettled = false where name = $1 and unsettled and not exists (
    select from jobs.run r join jobs.job j on j.name = r.job
    where r.unique_job = $1 and r.unique_key is not null and coalesce(j.family, j.name) <> $1
        and not exists (
            select from jobs.run o where o.unique_job = coalesce(j.family, j.name) and o.unique_key = r.unique_key
        )
)";

/// Whether node `$1` is the last that started, whoever lives.
const IS_NEWEST: &str = "\
select not exists (
    select from jobs.node n join jobs.node me on me.id = $1 where (n.started, n.id) > (me.started, me.id)
)";

/// Whether node `$1` is the last that started of those that are live.
const IS_LAST: &str = concat!(
    "select $1 = (
    select id from jobs.node where heartbeat >= now() - $2::interval or id = $1 order by started desc, id desc limit 1
) and ",
    may_judge!("$2")
);

/// Schedules that go on under a name of this node's, and the name under which they are known.
const INHERITED: &str = concat!(
    "\
select w.job, w.key, f.other from (
    select j.name, k.name as other from jobs.job j join jobs.job k on k.family = j.family and k.name <> j.name offset 0
) f join unnest($2::text[], $3::text[]) as w (job, key) on w.job = f.name
cross join lateral (
    select from jobs.schedule s where s.job = f.other and s.key = w.key and s.closed_since is null offset 0
) s
where $1 = (",
    last_word!("n.id", "$4"),
    ")
    and ",
    may_judge!("$4"),
    "
order by f.other, w.key"
);

/// Everybody locks in this order: jobs, schedules, runs.
const LOCK_FAMILIES: &str = "\
select from jobs.job where family in (
    select family from jobs.job where name = any ($1::text[]) and family is not null
) order by name for update";
const LOCK_SCHEDULES: &str = "\
select from unnest($1::text[], $2::text[]) as w (job, key) join jobs.schedule s on s.job = w.job and s.key = w.key
order by s.job, s.key for update of s";

/// One that was closed makes way.
const MAKE_WAY: &str = "delete from jobs.schedule where job = $1 and key = $2 and closed_since is not null";

const MOVE: &str = "\
update jobs.schedule set job = $1 where job = $3 and key = $2 and closed_since is null
    and not exists (select from jobs.schedule o where o.job = $1 and o.key = $2)";

const MOVE_LEDGER: &str = "\
update jobs.ledger l set job = $1 where job = $3 and key = $2
    and not exists (select from jobs.ledger o where o.job = $1 and o.key = $2 and o.first = l.first)";

const MOVE_RUNS: &str = "\
update jobs.run r set job = $1 where job = $3 and schedule = $2 and slot is not null
    and state in ('scheduled', 'available', 'waiting', 'running')
    and not exists (select from jobs.run o where o.job = $1 and o.schedule = $2 and o.slot = r.slot)";

/// There is one under each name, as of two jobs that became one: the one that is not in force is closed.
const CLOSE_OTHER: &str = "\
with closed as (
    update jobs.schedule set closed_since = now(), entry_first = null, entry_reason = null
    where job = $3 and key = $2 and closed_since is null and $1 <> job
    returning job, key, coalesce(next_slot, now()) as slot
)
insert into jobs.ledger (job, key, first, last, count, reason)
select job, key, slot, slot, 1, 'closed' from closed
on conflict do nothing";

impl Db {
    /// Makes the names of jobs known, each with that under which the job goes now, and which of them are of one job. It is to be
    /// [settled](Self::settle).
    pub(crate) async fn know_families(&self, names: &[(String, String)]) -> sqlx::Result<()> {
        let (all, jobs): (Vec<_>, Vec<_>) =
            names.iter().map(|(name, job)| (name.as_str(), job.as_str())).unzip();
        let aliases = names.iter().filter(|(name, job)| name != job).map(|(_, job)| job.as_str());
        let mut renamed: Vec<&str> = aliases.collect();
        renamed.sort_unstable();
        renamed.dedup();
        let of_renamed: Vec<_> = names
            .iter()
            .filter(|(_, job)| renamed.contains(&job.as_str()))
            .flat_map(|(name, job)| [name.as_str(), job.as_str()])
            .collect();
        if !of_renamed.is_empty() {
            // Also jobs that are switched off here.
            sqlx::query(self.sql(KNOW)).bind(&of_renamed).execute(&self.pool).await?;
        }
        let mut tx = self.begin(PATIENCE).await?;
        sqlx::query(self.sql(LOCK_KIN)).bind(&all).bind(&of_renamed).execute(&mut *tx).await?;
        sqlx::query(self.sql(PART)).bind(&all).bind(jobs).execute(&mut *tx).await?;
        for job in renamed {
            let of_job = names.iter().filter(|(_, of)| of == job).map(|(name, _)| name.as_str());
            let of_job: Vec<_> = of_job.chain([job]).collect();
            sqlx::query(self.sql(UNITE)).bind(job).bind(of_job).execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    /// Whether this node is the last that started, whoever lives.
    pub(crate) async fn is_newest(&self, node: Id) -> sqlx::Result<bool> {
        sqlx::query_scalar(self.sql(IS_NEWEST)).bind(node).fetch_one(&self.pool).await
    }

    /// Whether this node has the last word about what is one job, as it has about schedules: the one that started last.
    pub(crate) async fn may_say_families(&self, node: Id) -> sqlx::Result<bool> {
        sqlx::query_scalar(self.sql(IS_LAST)).bind(node).bind(interval(LOST)).fetch_one(&self.pool).await
    }

    /// Lets runs that stand for others do so under the name of their family, where that has changed. What somebody holds is left for
    /// the next time.
    pub(crate) async fn settle(&self) -> Result<(), Trouble> {
        let unsettled = "select name from jobs.job where unsettled order by name";
        let names: Vec<String> = ask(sqlx::query_scalar(self.sql(unsettled)).fetch_all(&self.pool)).await?;
        for name in names {
            let mut behind = Some(Vec::new());
            while let Some(last) = behind {
                behind = ask(self.move_unique(&name, last)).await?;
            }
            ask(sqlx::query(self.sql(SETTLE)).bind(&name).execute(&self.pool)).await?;
        }
        Ok(())
    }

    /// So many of one name, and up to which.
    async fn move_unique(&self, name: &str, behind: Vec<u8>) -> sqlx::Result<Option<Vec<u8>>> {
        const AT_A_TIME: i32 = 1000;
        let mut tx = self.begin(LOCK_PATIENCE).await?;
        let moving = sqlx::query_scalar(self.sql(MOVE_UNIQUE)).bind(name).bind(&behind).bind(AT_A_TIME);
        match moving.fetch_optional(&mut *tx).await {
            // Somebody has submitted the same meanwhile, which is seen the next time.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                tx.rollback().await?;
                Ok(Some(behind))
            }
            last => settle(tx, last).await,
        }
    }

    /// What happens to the schedules of a family happens one after another.
    pub(super) async fn lock_families(&self, on: &mut PgConnection, jobs: &[&str]) -> sqlx::Result<()> {
        sqlx::query(self.sql(LOCK_FAMILIES)).bind(jobs).execute(on).await?;
        Ok(())
    }

    /// Lets schedules of this node's that are known under another name of their job go on under its own. Their families are to
    /// be locked before.
    pub(super) async fn inherit(
        &self,
        on: &mut PgConnection,
        node: Id,
        jobs: &[&str],
        keys: &[&str],
    ) -> sqlx::Result<()> {
        let query = sqlx::query_as(self.sql(INHERITED)).bind(node).bind(jobs).bind(keys);
        let found: Vec<(String, String, String)> = query.bind(interval(LOST)).fetch_all(&mut *on).await?;
        if found.is_empty() {
            return Ok(());
        }
        let both = |(new, key, old): &(String, String, String)| {
            [(new.clone(), key.clone()), (old.clone(), key.clone())]
        };
        let (of, keys_of): (Vec<_>, Vec<_>) = found.iter().flat_map(both).unzip();
        sqlx::query(self.sql(LOCK_SCHEDULES)).bind(of).bind(keys_of).execute(&mut *on).await?;
        for (new, key, old) in found {
            let moving = |sql| sqlx::query(self.sql(sql)).bind(&new).bind(&key).bind(&old);
            sqlx::query(self.sql(MAKE_WAY)).bind(&new).bind(&key).execute(&mut *on).await?;
            if moving(MOVE).execute(&mut *on).await?.rows_affected() == 0 {
                moving(CLOSE_OTHER).execute(&mut *on).await?;
                continue;
            }
            moving(MOVE_LEDGER).execute(&mut *on).await?;
            moving(MOVE_RUNS).execute(&mut *on).await?;
        }
        Ok(())
    }
}
