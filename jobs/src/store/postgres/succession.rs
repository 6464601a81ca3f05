//! What the end of a run of a slot brings about: its successor may start, or the next slot has its time.
//!
//! A slot that fires and a run that ends may meet. Both take the lock of the job's row, the end after it is written: so
//! either the slot sees that the run has ended, or the end sees what the slot has left.

use super::db::Db;

/// By all of their names: who has executed a run may know its job by another than who has fired the next slot.
const LOCK_JOBS: &str = "\
select name from jobs.job where name in (
    select unnest($1::text[])
    union
    select k.name from jobs.job j join jobs.job k on k.family = j.family where j.name = any ($1::text[])
) order by name for update";

/// The first that waits may start when no other is live.
const SUCCEED: &str = "\
update jobs.run r set state = 'available', due = now()
from unnest($1::text[]) as e (job) cross join lateral (
    select id from jobs.run w where w.job = e.job and w.slot is not null and w.state = 'waiting' order by id limit 1
) next
where r.id = next.id and not exists (
    select from jobs.run l where l.job = e.job and l.slot is not null
        and l.state in ('scheduled', 'available', 'running')
)";

/// Schedules that count from the end of their runs.
const REARM: &str = "\
update jobs.schedule s set next_slot = now() + s.delay
where s.job = any ($1::text[]) and s.delay is not null and s.next_slot is null and s.closed_since is null
    and not exists (
        select from jobs.run l where l.job = s.job and l.schedule = s.key and l.slot is not null
            and l.state in ('scheduled', 'available', 'waiting', 'running')
    )";

/// Jobs for which this may have been left undone, by a node that was lost between an end and what follows from it.
const UNDONE: &str = "\
select distinct job from jobs.run where slot is not null and state = 'waiting'
union
select job from jobs.schedule where delay is not null and next_slot is null and closed_since is null";

impl Db {
    /// Runs of slots of these jobs have ended: lets their successors start. Answers how many do.
    pub(crate) async fn succeed(&self, jobs: &[String]) -> sqlx::Result<u64> {
        let mut tx = self.pool.begin().await?;
        // In a statement of its own, so that the next sees what a slot that fired meanwhile has left.
        let jobs: Vec<String> =
            sqlx::query_scalar(self.sql(LOCK_JOBS)).bind(jobs).fetch_all(&mut *tx).await?;
        let started = sqlx::query(self.sql(SUCCEED)).bind(&jobs).execute(&mut *tx).await?;
        sqlx::query(self.sql(REARM)).bind(jobs).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(started.rows_affected())
    }

    /// The same for every job of which it may have been left undone.
    pub(crate) async fn succeed_undone(&self) -> sqlx::Result<u64> {
        let jobs: Vec<String> = sqlx::query_scalar(self.sql(UNDONE)).fetch_all(&self.pool).await?;
        if jobs.is_empty() { Ok(0) } else { self.succeed(&jobs).await }
    }
}
