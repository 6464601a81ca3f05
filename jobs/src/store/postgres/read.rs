//! What people look at: runs.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::claim::all_lanes;
use super::db::Db;
use super::id::Id;

/// All that is known of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunRow {
    pub(crate) id: Id,
    pub(crate) job: String,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) state: String,
    pub(crate) due: DateTime<Utc>,
    pub(crate) attempt: i32,
    pub(crate) retries: i32,
    pub(crate) rescues: i16,
    /// Who executes it.
    pub(crate) node: Option<Id>,
    pub(crate) origin: String,
    pub(crate) schedule: Option<String>,
    pub(crate) slot: Option<DateTime<Utc>>,
    pub(crate) retry_of: Option<Id>,
    pub(crate) args: String,
    pub(crate) record: Option<String>,
    pub(crate) submitted: DateTime<Utc>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) finished: Option<DateTime<Utc>>,
    pub(crate) outcome: Option<String>,
    pub(crate) message: Option<String>,
    /// The name of its node.
    pub(crate) node_name: Option<String>,
}

/// Which runs are wanted, the last submitted first.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunFilter {
    /// By any of its names.
    pub(crate) jobs: Option<Vec<String>>,
    /// In one of these states.
    pub(crate) states: Option<Vec<String>>,
    pub(crate) queue: Option<String>,
    /// Whether it has ended.
    pub(crate) is_final: Option<bool>,
    /// From this identity on.
    pub(crate) from: Option<Id>,
    /// Those that were submitted before this one: the next page.
    pub(crate) before: Option<Id>,
}

/// What is wanted beside the job, with how it is said which identities it is between.
macro_rules! as_wanted {
    ($between:literal) => {
        concat!(
            $between,
            " and ($3::text[] is null or state = any ($3)) and ($4::text is null or queue = $4)
        and ($5::boolean is null or (finished is not null) = $5)"
        )
    };
    // In words that the index of all identities does not fit; nothing is read where no such run is wanted.
    (of $states:literal, finished: $finished:literal) => {
        concat!(
            as_wanted!("(id < $1 and id >= $2) is true"),
            " and ($3::text[] is null or $3 && array[",
            $states,
            "]) and coalesce($5::boolean, ",
            $finished,
            ") = ",
            $finished
        )
    };
}

macro_rules! columns {
    () => {
        "\
select id, job, queue, priority, state, due, attempt, retries, rescues, node, origin, schedule, slot, retry_of, args,
    record, submitted, started, finished, outcome, message,
    (select n.name from jobs.node n where n.id = run.node)
from "
    };
}

const ONE: &str = concat!(columns!(), "jobs.run where id = $1");

const RUNS: &str =
    concat!(columns!(), "jobs.run where ", as_wanted!("id < $1 and id >= $2"), " order by id desc limit $6");

/// Those of jobs among the last that were submitted at all.
const RUNS_NEAR: &str = concat!(
    columns!(),
    "(select * from jobs.run where id < $1 order by id desc limit 1000) run
where job = any ($7) and ",
    as_wanted!("id >= $2"),
    " order by id desc limit $6"
);

/// The same where they are few among many of others. Each kind has an index of its own; of those of a job that have ended the last
/// ten thousand are found, which is as many as are kept where nothing else is said.
const RUNS_OF: &str = concat!(
    all_lanes!(""),
    "\
, found as (
    select r.id from unnest($7::text[]) as n (job) cross join lateral (
        select id from jobs.run where job = n.job and finished is not null and ",
    as_wanted!(of "'succeeded', 'dead', 'cancelled'", finished: "true"),
    "
        order by finished desc limit 10000
    ) r
    union all
    select r.id from lane l cross join lateral (
        select id from jobs.run
        where state = 'available' and (queue, job, priority) = (l.queue, l.job, l.priority)
            and (queue, job, priority, id) < (l.queue, l.job, l.priority, $1) and ",
    as_wanted!(of "'available'", finished: "false"),
    "
        order by queue desc, job desc, priority desc, id desc limit $6
    ) r where l.job = any ($7)
    union all
    select r.id from unnest($7::text[]) as n (job) cross join lateral (
        select id from jobs.run where slot is not null and job = n.job and state = 'waiting' and ",
    as_wanted!(of "'waiting'", finished: "false"),
    "
        order by id desc limit $6
    ) r
    union all
    select id from jobs.run where job = any ($7) and state = 'running' and ",
    as_wanted!(of "'running'", finished: "false"),
    "
    union all
    select id from jobs.run where job = any ($7) and state = 'scheduled' and ",
    as_wanted!(of "'scheduled'", finished: "false"),
    "
)
",
    columns!(),
    "jobs.run where id = any (array(select id from found order by id desc limit $6))
order by id desc"
);

impl Db {
    /// One run.
    pub(crate) async fn run(&self, id: Id) -> sqlx::Result<Option<RunRow>> {
        sqlx::query(self.sql(ONE)).bind(id).try_map(run_row).fetch_optional(&self.pool).await
    }

    /// Some runs, at most so many.
    pub(crate) async fn runs(&self, filter: RunFilter, most: i64) -> sqlx::Result<Vec<RunRow>> {
        let RunFilter { jobs, states, queue, is_final, from, before } = filter;
        let ask = async |sql| {
            let query = sqlx::query(self.sql(sql)).bind(before.unwrap_or(Id(u128::MAX)));
            let query =
                query.bind(from.unwrap_or(Id(0))).bind(&states).bind(&queue).bind(is_final).bind(most);
            let query = match &jobs {
                Some(jobs) => query.bind(jobs),
                None => query,
            };
            query.try_map(run_row).fetch_all(&self.pool).await
        };
        if jobs.is_none() {
            return ask(RUNS).await;
        }
        let near = ask(RUNS_NEAR).await?;
        if i64::try_from(near.len()).is_ok_and(|found| found >= most) { Ok(near) } else { ask(RUNS_OF).await }
    }
}

fn run_row(row: PgRow) -> sqlx::Result<RunRow> {
    Ok(RunRow {
        id: row.try_get(0)?,
        job: row.try_get(1)?,
        queue: row.try_get(2)?,
        priority: row.try_get(3)?,
        state: row.try_get(4)?,
        due: row.try_get(5)?,
        attempt: row.try_get(6)?,
        retries: row.try_get(7)?,
        rescues: row.try_get(8)?,
        node: row.try_get(9)?,
        origin: row.try_get(10)?,
        schedule: row.try_get(11)?,
        slot: row.try_get(12)?,
        retry_of: row.try_get(13)?,
        args: row.try_get(14)?,
        record: row.try_get(15)?,
        submitted: row.try_get(16)?,
        started: row.try_get(17)?,
        finished: row.try_get(18)?,
        outcome: row.try_get(19)?,
        message: row.try_get(20)?,
        node_name: row.try_get(21)?,
    })
}
