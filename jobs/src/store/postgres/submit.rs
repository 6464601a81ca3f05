//! Runs arrive, many in one statement: what concurrent callers submit is committed together.
//!
//! A batch may be sent again when it is not known whether it was committed, as after a lost connection: the identities
//! were made here, and a row that is there is there once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::db::Db;
use super::end::listed;
use super::id::Id;
use super::parts::{MOST, parts};
use super::trouble::{Trouble, ask};

/// A run in the making.
#[derive(Debug, Clone)]
pub(crate) struct NewRun {
    pub(crate) id: Id,
    pub(crate) job: String,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    /// When it may start; at once where nothing is said.
    pub(crate) due: Option<DateTime<Utc>>,
    pub(crate) retries: i32,
    pub(crate) origin: &'static str,
    pub(crate) unique: Option<Unique>,
    pub(crate) retry_of: Option<Id>,
    pub(crate) args: String,
    /// What is known of it beside, as JSON.
    pub(crate) record: Option<String>,
}

/// What the submissions have in common that are one.
#[derive(Debug, Clone)]
pub(crate) struct Unique {
    /// The compared arguments as canonical JSON, with the window where there is one.
    pub(crate) key: String,
    /// The end of the window.
    pub(crate) until: Option<DateTime<Utc>>,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Submitted {
    New,
    /// This run stands for it.
    Existing(Id),
}

const PLAIN: &str = "\
insert into jobs.run (id, job, queue, priority, state, due, retries, origin, retry_of, args, record, submitted)
select id, job, queue, priority, case when due > now() then 'scheduled' else 'available' end,
    coalesce(due, now()), retries, origin, retry_of, args, record, now()
from unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[], $6::integer[], $7::text[],
    $8::uuid[], $9::text[], $10::text[])
    as n (id, job, queue, priority, due, retries, origin, retry_of, args, record)
on conflict (id) do nothing";

const UNIQUE: &str = "\
insert into jobs.run
    (id, job, queue, priority, state, due, retries, origin, retry_of, args, record, submitted, unique_key, unique_job,
        unique_until)
select id, job, queue, priority, case when due > now() then 'scheduled' else 'available' end,
    coalesce(due, now()), retries, origin, retry_of, args, record, now(), sha256(convert_to(key, 'UTF8')),
    case when key is not null then coalesce(j.family, job) end, until
from unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[], $6::integer[], $7::text[],
    $8::uuid[], $9::text[], $10::text[], $11::text[], $12::timestamptz[])
    as n (id, job, queue, priority, due, retries, origin, retry_of, args, record, key, until)
left join jobs.job j on j.name = n.job
order by 14, 13, 1
on conflict do nothing";

/// Of submissions, the runs that stand for them: their own, or others.
const STANDING: &str = concat!(
    "select n.id as of, r.id from ",
    listed!(),
    " as n join jobs.run r on r.id = n.id
union all
select n.id as of, r.id from ",
    listed!("$2::text[], $3::text[]", "job, key"),
    " as n cross join lateral (
    -- Before the runs are looked for, whatever is known of the table.
    select coalesce((select family from jobs.job where name = n.job), n.job) as leader offset 0
) l cross join lateral (
    select id from jobs.run r
    where r.unique_job = l.leader and r.unique_key = sha256(convert_to(n.key, 'UTF8')) and r.id <> n.id offset 0
) r"
);

impl Db {
    /// Adds runs that stand for no others.
    pub(crate) async fn submit(&self, runs: &[NewRun]) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        self.submit_on(&mut connection, runs).await
    }

    /// The same in a transaction of the caller's, with which they come and go.
    pub(crate) async fn submit_on(&self, connection: &mut PgConnection, runs: &[NewRun]) -> sqlx::Result<()> {
        let c = Columns::of(runs);
        let query = sqlx::query(self.sql(PLAIN)).bind(c.ids).bind(c.jobs).bind(c.queues).bind(c.priorities);
        let query = query.bind(c.due).bind(c.retries).bind(c.origins).bind(c.retry_of).bind(c.args);
        query.bind(c.records).execute(connection).await?;
        Ok(())
    }

    /// Adds runs of either kind, all of them or none; [`submit_unique`](Self::submit_unique) otherwise. They may be many: it
    /// takes as long as it takes, as long as the server answers part by part.
    pub(crate) async fn submit_all(
        &self,
        runs: &[NewRun],
        patience: Duration,
    ) -> Result<Vec<Submitted>, Trouble> {
        let mut tx = ask(self.begin(patience)).await?;
        let mut all = Vec::with_capacity(runs.len());
        for part in parts(runs, MOST, |run| run.args.len()) {
            all.extend(ask(self.submit_part_on(&mut tx, part)).await?);
        }
        ask(tx.commit()).await?;
        Ok(all)
    }

    /// The same in a transaction of the caller's.
    pub(crate) async fn submit_all_on(
        &self,
        connection: &mut PgConnection,
        runs: &[NewRun],
    ) -> sqlx::Result<Vec<Submitted>> {
        let mut all = Vec::with_capacity(runs.len());
        for part in parts(runs, MOST, |run| run.args.len()) {
            all.extend(self.submit_part_on(connection, part).await?);
        }
        Ok(all)
    }

    async fn submit_part_on(
        &self,
        connection: &mut PgConnection,
        part: &[NewRun],
    ) -> sqlx::Result<Vec<Submitted>> {
        if part.iter().any(|run| run.unique.is_some()) {
            return self.submit_unique_on(connection, part).await;
        }
        self.submit_on(connection, part).await?;
        Ok(vec![Submitted::New; part.len()])
    }

    /// Adds runs that stand for others, or finds the one that does for each. A conflict concerns nobody else in the batch.
    ///
    /// A transaction of somebody else's that has submitted one of them and is not over yet is waited for, so long; then
    /// none is submitted.
    pub(crate) async fn submit_unique(
        &self,
        runs: &[NewRun],
        patience: Duration,
    ) -> sqlx::Result<Vec<Submitted>> {
        let mut tx = self.begin(patience).await?;
        let submitted = self.submit_unique_on(&mut tx, runs).await?;
        tx.commit().await?;
        Ok(submitted)
    }

    /// The same in a transaction of the caller's.
    pub(crate) async fn submit_unique_on(
        &self,
        connection: &mut PgConnection,
        runs: &[NewRun],
    ) -> sqlx::Result<Vec<Submitted>> {
        let mut found: Vec<Option<Submitted>> = vec![None; runs.len()];
        while found.iter().any(Option::is_none) {
            let open: Vec<NewRun> = runs
                .iter()
                .zip(&found)
                .filter(|(_, found)| found.is_none())
                .map(|(run, _)| run.clone())
                .collect();
            let standing = self.submit_unique_once(connection, &open).await?;
            // One that stood for a submission may have ended before it was looked for: then that is tried again.
            for (run, found) in runs.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
                let own = standing.iter().any(|(of, by)| *of == run.id && by == of);
                let other = standing.iter().find(|(of, _)| *of == run.id);
                *found =
                    if own { Some(Submitted::New) } else { other.map(|(_, by)| Submitted::Existing(*by)) };
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn submit_unique_once(
        &self,
        connection: &mut PgConnection,
        runs: &[NewRun],
    ) -> sqlx::Result<Vec<(Id, Id)>> {
        let keys = || {
            runs.iter().map(|run| run.unique.as_ref().map(|unique| unique.key.as_str())).collect::<Vec<_>>()
        };
        let until: Vec<_> =
            runs.iter().map(|run| run.unique.as_ref().and_then(|unique| unique.until)).collect();
        let c = Columns::of(runs);
        let query =
            sqlx::query(self.sql(UNIQUE)).bind(&c.ids).bind(&c.jobs).bind(c.queues).bind(c.priorities);
        let query = query.bind(c.due).bind(c.retries).bind(c.origins).bind(c.retry_of).bind(c.args);
        query.bind(c.records).bind(keys()).bind(until).execute(&mut *connection).await?;
        let pair = |row: PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
        sqlx::query(self.sql(STANDING))
            .bind(c.ids)
            .bind(c.jobs)
            .bind(keys())
            .try_map(pair)
            .fetch_all(connection)
            .await
    }
}

/// Runs, column by column.
struct Columns<'a> {
    ids: Vec<Id>,
    jobs: Vec<&'a str>,
    queues: Vec<&'a str>,
    priorities: Vec<i16>,
    due: Vec<Option<DateTime<Utc>>>,
    retries: Vec<i32>,
    origins: Vec<&'a str>,
    retry_of: Vec<Option<Id>>,
    args: Vec<&'a str>,
    records: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(runs: &'a [NewRun]) -> Self {
        Self {
            ids: runs.iter().map(|run| run.id).collect(),
            jobs: runs.iter().map(|run| run.job.as_str()).collect(),
            queues: runs.iter().map(|run| run.queue.as_str()).collect(),
            priorities: runs.iter().map(|run| run.priority).collect(),
            due: runs.iter().map(|run| run.due).collect(),
            retries: runs.iter().map(|run| run.retries).collect(),
            origins: runs.iter().map(|run| run.origin).collect(),
            retry_of: runs.iter().map(|run| run.retry_of).collect(),
            args: runs.iter().map(|run| run.args.as_str()).collect(),
            records: runs.iter().map(|run| run.record.as_deref()).collect(),
        }
    }
}
