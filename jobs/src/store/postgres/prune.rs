//! What has ended is forgotten, a few at a time, so that no deletion holds anybody up.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::db::{Db, interval};

/// Before when runs of a job are forgotten: those that are too old and those beyond the number that is kept, but never the very
/// last. The number is counted here, once for all that goes.
const STALE: &str = "\
select j.name, c.before from jobs.job j cross join lateral (
    select least(
        greatest(now() - $1::interval, (
            select finished from jobs.run k where k.job = j.name and k.finished is not null
            order by k.finished desc offset $2 limit 1
        ) + interval '1 microsecond'),
        (select finished from jobs.run l where l.job = j.name and l.finished is not null
            order by l.finished desc limit 1)
    ) as before
) c
where exists (
    select from jobs.run r where r.job = j.name and r.finished < c.before
        and (r.unique_key is null or r.unique_until < now())
)";

/// Others may be at it as well.
const PRUNE: &str = "\
delete from jobs.run where id in (
    select id from jobs.run r
    where r.job = $1 and r.finished < $2 and (r.unique_key is null or r.unique_until < now())
    order by r.finished limit $3 for update skip locked
)";

/// A job some of whose runs are to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) job: String,
    /// Those that ended before this.
    pub(crate) before: DateTime<Utc>,
}

impl Db {
    /// The jobs of which runs ended longer ago than `age`, or are not among the last `count`.
    pub(crate) async fn stale(&self, age: Duration, count: usize) -> sqlx::Result<Vec<Stale>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let stale = sqlx::query_as(self.sql(STALE)).bind(interval(age)).bind(count);
        let stale: Vec<(String, DateTime<Utc>)> = stale.fetch_all(&self.pool).await?;
        Ok(stale.into_iter().map(|(job, before)| Stale { job, before }).collect())
    }

    /// Forgets at most so many of these. Answers how many; as many as `most` means that there may be more.
    pub(crate) async fn prune(&self, stale: &Stale, most: usize) -> sqlx::Result<u64> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let query = sqlx::query(self.sql(PRUNE)).bind(&stale.job).bind(stale.before).bind(most);
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}
