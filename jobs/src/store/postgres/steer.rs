//! What people do: pause and resume, cancel.

use super::db::{Db, LONG_PATIENCE, settle};
use super::id::Id;

/// In the order in which others lock them.
const LOCK_KIN: &str = "\
select from jobs.job where name = $1 or family = (select family from jobs.job where name = $1) order by name for update";

/// By all of its names.
const PAUSE_JOB: &str = "\
with kin as (
    update jobs.job k set paused_since = case when $2 then coalesce(k.paused_since, now()) end
    from jobs.job j where j.name = $1 and k.family = j.family and k.name <> j.name
)
insert into jobs.job (name, paused_since) values ($1, case when $2 then now() end)
on conflict (name) do update set paused_since = case when $2 then coalesce(job.paused_since, now()) end";

const PAUSE_QUEUE: &str = "\
insert into jobs.queue (name, paused_since) values ($1, case when $2 then now() end)
on conflict (name) do update set paused_since = case when $2 then coalesce(queue.paused_since, now()) end";

#[cfg(feature = "testing")]
const RELEASE: &str = "\
update jobs.run r set
    state = case when e.due > now() then 'scheduled' else 'available' end,
    due = greatest(e.due, now())
from unnest($1::uuid[], $2::timestamptz[]) as e (id, due)
where r.id = e.id and r.state = 'scheduled'
returning r.id";

const CANCEL: &str = concat!(
    "update jobs.run set ",
    cancelled!(),
    "
where id = $1 and state in ('scheduled', 'available', 'waiting', 'running')
returning state, case when slot is not null then job end"
);

/// What became of a wish to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// It had ended, or there is no such run.
    Gone,
    /// It was the run of a slot of this job, of which the next one may start instead.
    Ended { slot_of: Option<String> },
    /// Its node will be told.
    Running,
}

pub(super) const KNOW: &str =
    "insert into jobs.job (name) select distinct unnest($1::text[]) order by 1 on conflict do nothing";

impl Db {
    /// Makes jobs known, so that they can be locked and paused.
    pub(crate) async fn know_jobs(&self, names: &[String]) -> sqlx::Result<()> {
        sqlx::query(self.sql(KNOW)).bind(names).execute(&self.pool).await?;
        Ok(())
    }

    /// Lets the slots of a job pass without a run, or fires them again. What is queued goes on.
    pub(crate) async fn pause_job(&self, job: &str, paused: bool) -> sqlx::Result<()> {
        let mut tx = self.begin(LONG_PATIENCE).await?;
        let paused = async {
            sqlx::query(self.sql(LOCK_KIN)).bind(job).execute(&mut *tx).await?;
            sqlx::query(self.sql(PAUSE_JOB)).bind(job).bind(paused).execute(&mut *tx).await
        };
        let paused = paused.await.map(drop);
        settle(tx, paused).await
    }

    /// Claims no run of a queue, or does so again.
    pub(crate) async fn pause_queue(&self, queue: &str, paused: bool) -> sqlx::Result<()> {
        sqlx::query(self.sql(PAUSE_QUEUE)).bind(queue).bind(paused).execute(&self.pool).await?;
        Ok(())
    }

    /// Gives delayed runs another time, and answers those that are there.
    #[cfg(feature = "testing")]
    pub(crate) async fn release(
        &self,
        runs: &[(Id, chrono::DateTime<chrono::Utc>)],
    ) -> sqlx::Result<Vec<Id>> {
        let (ids, due): (Vec<_>, Vec<_>) = runs.iter().copied().unzip();
        sqlx::query_scalar(self.sql(RELEASE)).bind(ids).bind(due).fetch_all(&self.pool).await
    }

    /// Ends a run that has not begun; one that executes is ended by its node.
    pub(crate) async fn cancel(&self, run: Id) -> sqlx::Result<Cancelled> {
        let found = sqlx::query_as::<_, (String, Option<String>)>(self.sql(CANCEL)).bind(run);
        Ok(match found.fetch_optional(&self.pool).await? {
            None => Cancelled::Gone,
            Some((state, _)) if state == "running" => Cancelled::Running,
            Some((_, slot_of)) => Cancelled::Ended { slot_of },
        })
    }
}
