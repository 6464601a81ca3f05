//! What a node that has nothing to do asks, in one statement.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::claim::all_lanes;
use super::db::Db;
use super::end::Fence;
use super::id::Id;

/// An order that has nothing to do with the age of runs: pages in it come to an end also where new runs come all the time.
macro_rules! place {
    () => {
        "reverse(id::text) collate \"C\""
    };
}

/// Delayed runs whose time has come are made available on the way. What is claimed, due or available is looked for only where the
/// whole is wanted: it may take long.
const LOOK: &str = concat!(
    all_lanes!(" and $2"),
    "\
, due as (
    select id from jobs.run where $2 and state = 'scheduled' and due <= now()
    order by due limit 1000 for update skip locked
), mine as materialized (
    select id, claim_no, place from (
        select id, claim_no, ",
    place!(),
    " as place from jobs.run where $7 and node = $3 and state = 'running' offset 0
    ) claimed where place > $1 order by place limit $5
), cancelled as materialized (
    select id, place from (
        select id, ",
    place!(),
    " as place from jobs.run where node = $3 and cancel and finished is null offset 0
    ) cancelled where place > $6 order by place limit $5
), promoted as (
    update jobs.run r set state = 'available' where r.id = any (array(select id from due)) returning r.id
)
select
    (select count(*) from promoted),
    exists (
        select from lane l where l.job = any ($4)
            and not exists (select from jobs.queue q where q.name = l.queue and q.paused_since is not null)
    ),
    (select extract(epoch from min(due) - now())::float8 from jobs.run where $2 and state = 'scheduled' and due > now()),
    array(select id from cancelled),
    (select max(place) from cancelled),
    array(select id from mine order by id),
    array(select claim_no from mine order by id),
    (select max(place) from mine),
    array(select name from jobs.job where paused_since is not null),
    array(select name from jobs.queue where paused_since is not null),
    array(select job from jobs.schedule where delay is not null and next_slot is not null order by job, key),
    array(select key from jobs.schedule where delay is not null and next_slot is not null order by job, key),
    array(select next_slot from jobs.schedule where delay is not null and next_slot is not null order by job, key)"
);

/// Where a page of runs begins: behind this place, and with nothing at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Page(String);

impl Page {
    /// The next one, after so many of at most so many runs up to a place.
    fn next(last: Option<String>, count: usize, most: usize) -> Self {
        Self(last.filter(|_| count == most).unwrap_or_default())
    }

    pub(crate) fn is_first(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) node: Id,
    /// The jobs that it knows.
    pub(crate) jobs: &'a [String],
    /// What is due and available as well.
    pub(crate) whole: bool,
    /// Which of its claims, if any; which of those that somebody wants ended; and how many of each at most: an answer that is too
    /// long does not come.
    pub(crate) claimed: Option<&'a Page>,
    pub(crate) cancelled: &'a Page,
    pub(crate) most: usize,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// How many delayed runs were made available.
    pub(crate) promoted: u32,
    /// Whether there is a run of these jobs that might be claimed.
    pub(crate) available: bool,
    /// How long it is to the next delayed run.
    pub(crate) next: Option<Duration>,
    /// Which of its claims somebody wants ended: a page of them, and the next.
    pub(crate) cancelled: Vec<Id>,
    pub(crate) next_cancelled: Page,
    /// What this node has claimed and not ended, by the server's account: a page of it, and the next.
    pub(crate) claimed: Vec<Fence>,
    pub(crate) next_claimed: Page,
    pub(crate) paused_jobs: Vec<String>,
    pub(crate) paused_queues: Vec<String>,
    /// Schedules that count from the end of their runs, and when they fire next.
    pub(crate) delays: Vec<(String, String, DateTime<Utc>)>,
}

impl Db {
    /// Makes delayed runs available whose time has come, and tells what there is for a node; nothing but what somebody wants ended
    /// and what is paused or delayed where not the whole is wanted.
    pub(crate) async fn look(&self, asked: Asked<'_>) -> sqlx::Result<Look> {
        let Asked { node, jobs, whole, claimed, cancelled, most } = asked;
        let behind = claimed.map_or("", |page| &page.0);
        let query = sqlx::query(self.sql(LOOK)).bind(behind).bind(whole).bind(node).bind(jobs);
        let query = query.bind(most as i64).bind(&cancelled.0).bind(claimed.is_some());
        let row = query.fetch_one(&self.pool).await?;
        let (promoted, available): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
        let next: Option<f64> = row.try_get(2)?;
        let next = next.map(|next| Duration::try_from_secs_f64(next.max(0.0)).unwrap_or(Duration::MAX));
        let cancelled: Vec<Id> = row.try_get(3)?;
        let (claimed, claims): (Vec<Id>, Vec<i32>) = (row.try_get(5)?, row.try_get(6)?);
        let claimed = claimed.into_iter().zip(claims).map(|(id, claim_no)| Fence { id, claim_no });
        let claimed: Vec<_> = claimed.collect();
        let (jobs, keys): (Vec<String>, Vec<String>) = (row.try_get(10)?, row.try_get(11)?);
        let next_slots: Vec<DateTime<Utc>> = row.try_get(12)?;
        let delays = jobs.into_iter().zip(keys).zip(next_slots).map(|((job, key), next)| (job, key, next));
        Ok(Look {
            promoted: promoted as u32,
            available: promoted > 0 || available,
            next,
            next_cancelled: Page::next(row.try_get(4)?, cancelled.len(), most),
            cancelled,
            next_claimed: Page::next(row.try_get(7)?, claimed.len(), most),
            claimed,
            paused_jobs: row.try_get(8)?,
            paused_queues: row.try_get(9)?,
            delays: delays.collect(),
        })
    }
}
