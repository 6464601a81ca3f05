//! Attempts end, many in one statement; only the claim that stands may end a run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::db::{Db, LOCK_PATIENCE, LONG_PATIENCE, interval, settle};
use super::id::Id;

/// A claim: a run, and the number of the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) id: Id,
    pub(crate) claim_no: i32,
}

/// What follows an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Follows {
    /// The run is over: `succeeded`, `dead` or `cancelled`.
    End(&'static str),
    /// Another attempt, then.
    Retry(DateTime<Utc>),
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) fence: Fence,
    /// The job, where the run is one of a slot: another may be waiting for its end.
    pub(crate) slot_of: Option<String>,
    pub(crate) follows: Follows,
    pub(crate) started: DateTime<Utc>,
    pub(crate) finished: DateTime<Utc>,
    pub(crate) outcome: &'static str,
    pub(crate) message: Option<String>,
    pub(crate) record: Option<String>,
}

impl End {
    /// What it brings along.
    pub(crate) fn bytes(&self) -> usize {
        self.message.as_ref().map_or(0, String::len) + self.record.as_ref().map_or(0, String::len)
    }

    /// It has succeeded, and leaves nothing but that.
    fn is_plain(&self) -> bool {
        self.follows == Follows::End(SUCCEEDED)
            && self.outcome == SUCCEEDED
            && self.message.is_none()
            && self.record.is_none()
    }
}

/// What a run is that has succeeded, and what it has come to.
const SUCCEEDED: &str = "succeeded";

/// Runs by their identities, with more of each: each is looked up. While the server knows little of the table it would read all of
/// it for them, and again for each; of rows in which two columns are the same it expects a few only.
macro_rules! listed {
    ($($more:literal, $columns:literal)?) => {
        concat!(
            "(select * from unnest($1::uuid[], $1::uuid[]", $(", ", $more,)?
            ") as l (id, same", $(", ", $columns,)? ") where l.id = l.same)"
        )
    };
}

pub(super) use listed;

/// The fence is in the condition: a run that was given to another has another claim, and one that executes nowhere has no
/// node. The condition is written so that only the index of identities fits it: that of running runs has an entry for
/// every claim since the last vacuum.
const END: &str = concat!(
    "\
update jobs.run r set
    state = case when e.state = 'scheduled' and r.cancel then 'cancelled' else e.state end,
    due = coalesce(e.due, r.due),
    started = e.started,
    finished = case when e.state <> 'scheduled' or r.cancel then e.finished end,
    outcome = e.outcome, message = e.message, record = coalesce(e.record, r.record),
    node = null,
    unique_key = case
        when e.state = 'scheduled' and not r.cancel or e.state = 'succeeded' and r.unique_until > now()
        then r.unique_key end
from ",
    listed!(
        "$2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[], $9::text[]",
        "claim_no, state, due, started, finished, outcome, message, record"
    ),
    " as e where r.id = e.id and r.claim_no = e.claim_no and r.node is not distinct from $10"
);

/// The same of attempts that have succeeded and left nothing, which most do.
const END_WELL: &str = concat!(
    "\
update jobs.run r set
    state = 'succeeded', outcome = 'succeeded', message = null,
    started = e.started, finished = e.finished, node = null,
    unique_key = case when r.unique_until > now() then r.unique_key end
from ",
    listed!("$2::integer[], $3::timestamptz[], $4::timestamptz[]", "claim_no, started, finished"),
    " as e where r.id = e.id and r.claim_no = e.claim_no and r.node is not distinct from $5"
);

/// Gives back runs that were claimed, but for those that somebody wants ended. What was cut off is no attempt.
const RETURN: &str = concat!(
    "\
update jobs.run r set node = null, started = null,
    state = case when r.cancel then 'cancelled' else 'available' end,
    finished = case when r.cancel then now() end, outcome = case when r.cancel then 'cancelled' end,
    unique_key = case when not r.cancel then r.unique_key end,
    attempt = r.attempt - 1
from ",
    listed!("$2::integer[]", "claim_no"),
    " as e where r.id = e.id and r.claim_no = e.claim_no and r.node is not distinct from $3
returning case when r.cancel and r.slot is not null then r.job end"
);

impl Db {
    /// Ends attempts, and answers how many of these ends count: the others had lost their claims.
    pub(crate) async fn end(&self, node: Id, ends: &[End]) -> sqlx::Result<usize> {
        let plain = ends.iter().filter(|end| end.is_plain()).count();
        if plain == 0 || plain == ends.len() {
            let mut connection = self.pool.acquire().await?;
            return self.end_on(&mut connection, node, ends).await;
        }
        // What is asked again for the second statement must not have lost its claims by the first.
        let mut tx = self.begin(LONG_PATIENCE).await?;
        let ended = self.end_on(&mut tx, node, ends).await;
        settle(tx, ended).await
    }

    /// The same in a transaction of the caller's: what a run has done there and that it is done become true together.
    pub(crate) async fn end_on(
        &self,
        connection: &mut PgConnection,
        node: Id,
        ends: &[End],
    ) -> sqlx::Result<usize> {
        let (well, others): (Vec<_>, Vec<_>) = ends.iter().partition(|end| end.is_plain());
        let mut ended = 0;
        if !well.is_empty() {
            ended += self.end_well_on(connection, node, &well).await?;
        }
        if !others.is_empty() {
            ended += self.end_others_on(connection, node, &others).await?;
        }
        Ok(ended)
    }

    async fn end_well_on(
        &self,
        connection: &mut PgConnection,
        node: Id,
        ends: &[&End],
    ) -> sqlx::Result<usize> {
        let query = sqlx::query(self.sql(END_WELL))
            .bind(ends.iter().map(|end| end.fence.id).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.fence.claim_no).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.started).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.finished).collect::<Vec<_>>())
            .bind(node);
        Ok(query.execute(connection).await?.rows_affected() as usize)
    }

    async fn end_others_on(
        &self,
        connection: &mut PgConnection,
        node: Id,
        ends: &[&End],
    ) -> sqlx::Result<usize> {
        let state = |end: &&End| match end.follows {
            Follows::End(state) => state,
            Follows::Retry(_) => "scheduled",
        };
        let due = |end: &&End| match end.follows {
            Follows::End(_) => None,
            Follows::Retry(due) => Some(due),
        };
        let query = sqlx::query(self.sql(END))
            .bind(ends.iter().map(|end| end.fence.id).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.fence.claim_no).collect::<Vec<_>>())
            .bind(ends.iter().map(state).collect::<Vec<_>>())
            .bind(ends.iter().map(due).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.started).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.finished).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.outcome).collect::<Vec<_>>())
            // The message of an error may have anything in it, and the server takes no NUL.
            .bind(
                ends.iter()
                    .map(|end| end.message.as_ref().map(|message| message.replace('\0', "\u{fffd}")))
                    .collect::<Vec<_>>(),
            )
            .bind(ends.iter().map(|end| end.record.as_deref()).collect::<Vec<_>>())
            .bind(node);
        Ok(query.execute(connection).await?.rows_affected() as usize)
    }

    /// Gives runs back.
    pub(crate) async fn give_back(&self, node: Id, runs: &[Fence]) -> sqlx::Result<GivenBack> {
        let mut connection = self.pool.acquire().await?;
        self.give_back_on(&mut connection, node, runs).await
    }

    pub(super) async fn give_back_on(
        &self,
        connection: &mut PgConnection,
        node: Id,
        runs: &[Fence],
    ) -> sqlx::Result<GivenBack> {
        let query = sqlx::query_scalar(self.sql(RETURN))
            .bind(runs.iter().map(|fence| fence.id).collect::<Vec<_>>())
            .bind(runs.iter().map(|fence| fence.claim_no).collect::<Vec<_>>())
            .bind(node);
        Ok(GivenBack::of(query.fetch_all(connection).await?))
    }
}

/// What became of runs that were given back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GivenBack {
    /// How many there were: the claims of the others were lost.
    pub(crate) count: usize,
    /// Jobs of whose slots runs have ended instead, since somebody wanted that: others may have waited for them.
    pub(crate) ended: Vec<String>,
}

impl GivenBack {
    fn of(jobs: Vec<Option<String>>) -> Self {
        Self { count: jobs.len(), ended: jobs.into_iter().flatten().collect() }
    }
}

/// Of these claims, those that stand.
macro_rules! standing {
    () => {
        concat!(
            "select r.id from jobs.run r join ",
            listed!("$2::integer[]", "claim_no"),
            " as e on r.id = e.id where r.claim_no = e.claim_no and r.node = $3"
        )
    };
}

const STANDING: &str = standing!();

/// And that nobody locks.
const FREE: &str = concat!(standing!(), " for update of r skip locked");

/// Gives back runs that this node does not begin, to be claimed when so much time has passed, but for those that somebody locks.
const PUT_OFF: &str = concat!(
    "with free as materialized (
    select r.id, e.wait from jobs.run r join ",
    listed!("$2::integer[], $4::interval[]", "claim_no, wait"),
    " as e on r.id = e.id where r.claim_no = e.claim_no and r.node = $3 for update of r skip locked
)
update jobs.run r set node = null, started = null, attempt = r.attempt - 1,
    state = case when r.cancel then 'cancelled' when e.wait > interval '0' then 'scheduled' else 'available' end,
    finished = case when r.cancel then now() end, outcome = case when r.cancel then 'cancelled' end,
    unique_key = case when not r.cancel then r.unique_key end,
    due = case when e.wait > interval '0' then now() + e.wait else r.due end
from free e where r.id = e.id
returning case when r.cancel and r.slot is not null then r.job end"
);

/// What becomes of a claim.
#[derive(Debug)]
pub(crate) enum Finished {
    End(Box<End>),
    /// It is given back.
    Return(Fence),
}

impl Finished {
    /// What it brings along.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::End(end) => end.bytes(),
            Self::Return(_) => 0,
        }
    }

    pub(crate) fn fence(&self) -> Fence {
        match self {
            Self::End(end) => end.fence,
            Self::Return(fence) => *fence,
        }
    }
}

impl Db {
    /// Gives runs back that were not begun, each to be claimed after a wait. Those that somebody locks are this node's still.
    pub(crate) async fn put_off(&self, node: Id, runs: &[(Fence, Duration)]) -> sqlx::Result<GivenBack> {
        let query = sqlx::query_scalar(self.sql(PUT_OFF))
            .bind(runs.iter().map(|(fence, _)| fence.id).collect::<Vec<_>>())
            .bind(runs.iter().map(|(fence, _)| fence.claim_no).collect::<Vec<_>>())
            .bind(node)
            .bind(runs.iter().map(|(_, wait)| interval(*wait)).collect::<Vec<_>>());
        Ok(GivenBack::of(query.fetch_all(&self.pool).await?))
    }

    /// Finishes claims that a transaction of somebody else's may have ended, and waits for none. Answers which stand still, since
    /// that transaction goes on, and what became of those that went back.
    pub(crate) async fn finish_free(
        &self,
        node: Id,
        finished: &[Finished],
    ) -> sqlx::Result<(Vec<Id>, GivenBack)> {
        let (ids, claims): (Vec<_>, Vec<_>) =
            finished.iter().map(|finished| (finished.fence().id, finished.fence().claim_no)).unzip();
        let mut tx = self.begin(LOCK_PATIENCE).await?;
        let free = sqlx::query_scalar(self.sql(FREE)).bind(&ids).bind(&claims).bind(node);
        let free: Vec<Id> = free.fetch_all(&mut *tx).await?;
        let (mut ends, mut returns) = (Vec::new(), Vec::new());
        for finished in finished.iter().filter(|finished| free.contains(&finished.fence().id)) {
            match finished {
                Finished::End(end) => ends.push((**end).clone()),
                Finished::Return(fence) => returns.push(*fence),
            }
        }
        if !ends.is_empty() {
            self.end_on(&mut tx, node, &ends).await?;
        }
        let mut back = GivenBack::of(Vec::new());
        if !returns.is_empty() {
            back = self.give_back_on(&mut tx, node, &returns).await?;
        }
        tx.commit().await?;
        let standing = sqlx::query_scalar(self.sql(STANDING)).bind(ids).bind(claims).bind(node);
        Ok((standing.fetch_all(&self.pool).await?, back))
    }
}

/// What is known of a run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: Id,
    /// There is no such run, or none any more.
    pub(crate) is_unknown: bool,
    pub(crate) outcome: Option<String>,
    pub(crate) message: Option<String>,
}

const ENDED: &str = concat!(
    "select i.id, r.id is null, r.outcome, r.message from ",
    listed!(),
    " as i left join jobs.run r on r.id = i.id where r.id is null or r.finished is not null"
);

impl Db {
    /// Of these runs, those that have ended.
    pub(crate) async fn ended(&self, ids: &[Id]) -> sqlx::Result<Vec<Ended>> {
        let ended = |row: PgRow| {
            let (id, is_unknown) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Ended { id, is_unknown, outcome: row.try_get(2)?, message: row.try_get(3)? })
        };
        sqlx::query(self.sql(ENDED)).bind(ids).try_map(ended).fetch_all(&self.pool).await
    }
}
