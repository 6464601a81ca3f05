//! Runs that have ended are forgotten, a few at a time, so that no deletion holds anybody up.

use std::time::Duration;

use super::db::{Db, interval};

/// Of each job the oldest, by age, and those beyond the number that is kept.
const PRUNE: &str = "\
delete from jobs.run where id in (
    select old.id from jobs.job j cross join lateral (
        select id from jobs.run r
        where r.job = j.name and r.finished < greatest(now() - $1::interval, (
            select finished from jobs.run k where k.job = j.name and k.finished is not null
            order by k.finished desc offset $2 limit 1
        ) + interval '1 microsecond') and (r.unique_key is null or r.unique_until < now())
        order by r.finished limit $3
    ) old
    limit $3
)";

impl Db {
    /// Forgets at most so many runs that ended longer ago than `age`, or that are not among the last `count` of their
    /// job. Answers how many; as many as `most` means that there are more.
    pub(crate) async fn prune(&self, age: Duration, count: usize, most: usize) -> sqlx::Result<u64> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let query = sqlx::query(self.sql(PRUNE)).bind(interval(age)).bind(count).bind(most);
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}
