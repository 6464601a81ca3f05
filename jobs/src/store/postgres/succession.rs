//! What the end of a run of a slot brings about: its successor may start, or the next slot has its time.
//!
//! A slot that fires and a run that ends may meet. Both take the lock of the job's row, the end after it is written: so
//! either the slot sees that the run has ended, or the end sees what the slot has left.

use std::time::Duration;

use sqlx::{Postgres, Transaction};

use super::db::{Db, LOCK_PATIENCE, SHORT, settle};
use super::trouble::is_held;

/// The first live run of a job's slots by state, from one state to another in the order of their letters. It is written so that
/// its bounds and its order fit one index only, whatever is known of the table.
macro_rules! first_live {
    ($job:literal, $from:literal, $to:literal) => {
        concat!(
            "(
    select l.id from jobs.run l
    where l.slot is not null and l.state in ('scheduled', 'available', 'waiting', 'running')
        and (l.job, l.state, l.id) >= (",
            $job,
            ", ",
            $from,
            ", '00000000-0000-0000-0000-000000000000')
        and (l.job, l.state) <= (",
            $job,
            ", ",
            $to,
            ")
    order by l.job, l.state, l.id limit 1
)"
        )
    };
}

pub(super) use first_live;

/// By all of their names: who has executed a run may know its job by another than who has fired the next slot.
macro_rules! lock_jobs {
    () => {
        "\
select name from jobs.job where name in (
    select unnest($1::text[])
    union
    select k.name from jobs.job j join jobs.job k on k.family = j.family where j.name = any ($1::text[])
) order by name for update"
    };
}
const LOCK_JOBS: &str = lock_jobs!();
const LOCK_FREE_JOBS: &str = concat!(lock_jobs!(), " skip locked");

/// The first that waits may start when no other is live; unless somebody cancels it at this moment.
const SUCCEED: &str = concat!(
    "\
update jobs.run r set state = 'available', due = now()
from unnest($1::text[]) as e (job) cross join lateral ",
    first_live!("e.job", "'waiting'", "'waiting'"),
    " next where r.id = next.id and r.state = 'waiting' and ",
    first_live!("e.job", "'available'", "'scheduled'"),
    " is null"
);

/// Schedules that count from the end of their runs: from when it is seen, since the transaction may be older.
const REARM: &str = "\
update jobs.schedule s set next_slot = clock_timestamp() + s.delay
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

/// What became of successions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Succeeded {
    /// How many runs may start.
    pub(crate) started: u64,
    /// Some were left undone, since others hold the rows of their jobs.
    pub(crate) is_held: bool,
}

impl Db {
    /// Runs of slots of these jobs have ended: lets their successors start.
    pub(crate) async fn succeed(&self, jobs: &[String]) -> sqlx::Result<Succeeded> {
        match self.succeed_locked(jobs, LOCK_JOBS, LOCK_PATIENCE).await {
            // The jobs that are free do not suffer for one that is not.
            Err(error) if is_held(&error) => match self.succeed_locked(jobs, LOCK_FREE_JOBS, SHORT).await {
                Err(error) if is_held(&error) => Ok(Succeeded { started: 0, is_held: true }),
                answer => answer,
            },
            answer => answer,
        }
    }

    async fn succeed_locked(
        &self,
        jobs: &[String],
        lock: &'static str,
        patience: Duration,
    ) -> sqlx::Result<Succeeded> {
        let mut tx = self.begin(patience).await?;
        let succeeded = self.succeed_in(&mut tx, jobs, lock).await;
        settle(tx, succeeded).await
    }

    async fn succeed_in(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        jobs: &[String],
        lock: &'static str,
    ) -> sqlx::Result<Succeeded> {
        // In a statement of its own, so that the next sees what a slot that fired meanwhile has left.
        let locked: Vec<String> = sqlx::query_scalar(self.sql(lock)).bind(jobs).fetch_all(&mut **tx).await?;
        let started = sqlx::query(self.sql(SUCCEED)).bind(&locked).execute(&mut **tx).await?;
        sqlx::query(self.sql(REARM)).bind(&locked).execute(&mut **tx).await?;
        let is_held = lock == LOCK_FREE_JOBS && jobs.iter().any(|job| !locked.contains(job));
        Ok(Succeeded { started: started.rows_affected(), is_held })
    }

    /// The same for every job of which it may have been left undone.
    pub(crate) async fn succeed_undone(&self) -> sqlx::Result<Succeeded> {
        let jobs: Vec<String> = sqlx::query_scalar(self.sql(UNDONE)).fetch_all(&self.pool).await?;
        if jobs.is_empty() { Ok(Succeeded { started: 0, is_held: false }) } else { self.succeed(&jobs).await }
    }
}
