//! What has ended is forgotten, a few at a time, so that no deletion holds anybody up.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::db::{Db, interval};

/// Before when runs of a job are forgotten: those that are too old and those beyond the number that is kept, but never the very
/// last. The number is counted here, once for all that goes.
const STALE: &str = "\
select j.name, c.before, exists (
    select from jobs.run r where r.job = j.name and r.finished < c.before
        and (r.unique_key is null or r.unique_until < now())
)
from (select name from jobs.job where name > $3 order by name limit $4) j cross join lateral (
    select least(
        greatest(now() - $1::interval, (
            select finished from jobs.run k where k.job = j.name and k.finished is not null
            order by k.finished desc offset $2 limit 1
        ) + interval '1 microsecond'),
        (select finished from jobs.run l where l.job = j.name and l.finished is not null
            order by l.finished desc limit 1)
    ) as before offset 0
) c
order by j.name";

/// Others may be at it as well. It begins where the last batch ended: an old transaction may keep what went with that in the index.
const PRUNE: &str = "\
with gone as (
    delete from jobs.run where id in (
        select id from jobs.run r
        where r.job = $1 and r.finished >= coalesce($2, '-infinity'::timestamptz) and r.finished < $3
            and (r.unique_key is null or r.unique_until < now())
        order by r.finished limit $4 for update skip locked
    ) returning finished
)
select count(*), max(finished) from gone";

/// How many entries of the ledger of a schedule are kept at most. No process keeps more.
const MOST_ENTRIES: usize = 256;

/// Of each schedule the old entries and those beyond the number that is kept, but never the last, which may grow.
const PRUNE_LEDGER: &str = "\
with old as (
    select e.job, e.key, e.first from jobs.schedule s cross join lateral (
        select l.*, row_number() over (order by l.first desc) as place
        from jobs.ledger l where l.job = s.job and l.key = s.key
    ) e
    where e.place > 1 and (e.place > $2 or e.last < now() - $1::interval)
    limit $3
)
delete from jobs.ledger l using old o where l.job = o.job and l.key = o.key and l.first = o.first";

/// Schedules that nobody has registered for long, with their ledgers. One that comes back begins anew.
const PRUNE_SCHEDULES: &str = "\
with gone as (
    delete from jobs.schedule s
    where s.closed_since < now() - $1::interval
        and not exists (select from jobs.registration g where g.job = s.job and g.key = s.key)
    returning s.job, s.key
)
delete from jobs.ledger l using gone g where l.job = g.job and l.key = g.key";

/// A job some of whose runs are to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) job: String,
    /// Those that ended before this.
    pub(crate) before: DateTime<Utc>,
    /// Up to here they are forgotten.
    pub(crate) forgotten: Option<DateTime<Utc>>,
}

impl Db {
    /// Of so many jobs behind one those of which runs ended longer ago than `age`, or are not among the last `count`, and behind which
    /// there may be more. Their histories are read for it.
    pub(crate) async fn stale(
        &self,
        (age, count): (Duration, usize),
        behind: &str,
        jobs: usize,
    ) -> sqlx::Result<(Vec<Stale>, Option<String>)> {
        let number = |of| i64::try_from(of).unwrap_or(i64::MAX);
        let query = sqlx::query_as(self.sql(STALE)).bind(interval(age)).bind(number(count)).bind(behind);
        let asked: Vec<(String, Option<DateTime<Utc>>, bool)> =
            query.bind(number(jobs)).fetch_all(&self.pool).await?;
        let last = asked.last().filter(|_| asked.len() == jobs).map(|(job, ..)| job.clone());
        let goes = asked.into_iter().filter(|(.., is_stale)| *is_stale);
        let whole = |(job, before, _)| Some(Stale { job, before: before?, forgotten: None });
        Ok((goes.filter_map(whole).collect(), last))
    }

    /// The job that comes behind one.
    pub(crate) async fn job_behind(&self, name: &str) -> sqlx::Result<Option<String>> {
        let sql = "select min(name) from jobs.job where name > $1";
        sqlx::query_scalar(self.sql(sql)).bind(name).fetch_one(&self.pool).await
    }

    /// Forgets at most so many of these, and goes on behind them. Answers how many; as many as `most` means that there may be more.
    pub(crate) async fn prune(&self, stale: &mut Stale, most: usize) -> sqlx::Result<u64> {
        let query = sqlx::query_as(self.sql(PRUNE)).bind(&stale.job).bind(stale.forgotten).bind(stale.before);
        let query = query.bind(i64::try_from(most).unwrap_or(i64::MAX));
        let (count, last): (i64, Option<DateTime<Utc>>) = query.fetch_one(&self.pool).await?;
        stale.forgotten = last.or(stale.forgotten);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Forgets at most so many entries of ledgers, which are kept for as long as runs are. Answers as [`prune`](Self::prune).
    pub(crate) async fn prune_ledger(&self, age: Duration, count: usize, most: usize) -> sqlx::Result<u64> {
        let number = |of| i64::try_from(of).unwrap_or(i64::MAX);
        let query = sqlx::query(self.sql(PRUNE_LEDGER)).bind(interval(age));
        let query = query.bind(number(count.min(MOST_ENTRIES))).bind(number(most));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }

    /// Forgets schedules that were closed longer ago than `age`.
    pub(crate) async fn prune_schedules(&self, age: Duration) -> sqlx::Result<()> {
        sqlx::query(self.sql(PRUNE_SCHEDULES)).bind(interval(age)).execute(&self.pool).await?;
        Ok(())
    }
}
