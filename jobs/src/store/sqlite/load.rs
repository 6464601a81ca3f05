//! What the process before has left.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Database;
use super::write::{ScheduleRow, seq};
use crate::clock::Timestamp;
use crate::job::name::JobName;
use crate::job::options::Origin;
use crate::job::run::{Outcome, RunId};
use crate::job::slot::Slot;
use crate::store::journal::{Details, Pauses, Recorded, RunRecord};

/// What the process before has left.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Whether it has ended in good order.
    pub(crate) clean: bool,
    /// Those that had ended, in the order in which they did.
    pub(crate) ended: Vec<LoadedRun>,
    /// In the order of submission.
    pub(crate) live: Vec<LoadedRun>,
    pub(crate) schedules: Vec<ScheduleRow>,
    pub(crate) pauses: Pauses,
}

/// A run that was written down.
#[derive(Debug)]
pub(crate) struct LoadedRun {
    pub(crate) record: RunRecord,
    /// The key of its schedule.
    pub(crate) schedule: Option<String>,
}

impl Database {
    /// Reads everything, and notes that a process has it now.
    pub(crate) async fn load(&mut self) -> Result<Loaded, sqlx::Error> {
        let connection = &mut self.connection;
        let clean =
            sqlx::query("SELECT clean FROM jobs_meta").fetch_one(&mut *connection).await?.try_get(0)?;
        let runs = |which: &str| format!("SELECT * FROM jobs_run WHERE state {which}");
        let ended = sqlx::query(sqlx::AssertSqlSafe(runs("= 'ended' ORDER BY finished, seq")))
            .fetch_all(&mut *connection)
            .await?;
        let live = sqlx::query(sqlx::AssertSqlSafe(runs("<> 'ended' ORDER BY seq")))
            .fetch_all(&mut *connection)
            .await?;
        let schedules =
            sqlx::query("SELECT job, key, saved FROM jobs_schedule").fetch_all(&mut *connection).await?;
        let schedules = schedules.iter().map(|row| {
            Ok(ScheduleRow { job: row.try_get(0)?, key: row.try_get(1)?, saved: row.try_get(2)? })
        });
        let mut pauses = Pauses::default();
        for row in sqlx::query("SELECT kind, name, since FROM jobs_pause").fetch_all(&mut *connection).await?
        {
            let (kind, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            match kind.as_str() {
                "queue" => pauses.queues.push(name),
                _ => pauses
                    .jobs
                    .push((name, Timestamp::from_nanos(row.try_get::<Option<i64>, _>(2)?.unwrap_or(0)))),
            }
        }
        let loaded = Loaded {
            clean,
            ended: ended.iter().map(run).collect::<Result<_, _>>()?,
            live: live.iter().map(run).collect::<Result<_, _>>()?,
            schedules: schedules.collect::<Result<_, sqlx::Error>>()?,
            pauses,
        };
        self.set_clean(false).await?;
        Ok(loaded)
    }
}

fn identity(row: &SqliteRow) -> Result<RunId, sqlx::Error> {
    let (sequence, node): (i64, i64) = (row.try_get("seq")?, row.try_get("node")?);
    let id = RunId::from_parts(sequence.cast_unsigned(), node.cast_unsigned());
    debug_assert_eq!(seq(id), sequence);
    Ok(id)
}

/// What another version has written and this one cannot read is not worth the start. Of a run that has ended it is not known how, and
/// it is not to be taken for a success.
fn unreadable(state: Recorded, error: &serde_json::Error) -> Option<Details> {
    let outcome = Outcome::Failed(format!("how it has ended cannot be read: {error}"));
    matches!(state, Recorded::Ended { .. }).then(|| Details { outcome: Some(outcome), ..Details::default() })
}

fn run(row: &SqliteRow) -> Result<LoadedRun, sqlx::Error> {
    let time = |column: &str| {
        Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_nanos))
    };
    let number = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0));
    let id = identity(row)?;
    let since = time("due")?.unwrap_or_else(|| id.made_at());
    let state = match row.try_get::<&str, _>("state")? {
        "scheduled" => Recorded::Scheduled { due: since },
        "waiting" => Recorded::Waiting,
        "running" => Recorded::Running { started: time("started")?.unwrap_or(since) },
        "ended" => {
            let finished = time("finished")?.unwrap_or(since);
            Recorded::Ended { started: time("started")?.unwrap_or(finished), finished }
        }
        _ => Recorded::Available { since },
    };
    let slot = match time("slot")? {
        Some(at) => Some(Slot {
            at,
            jitter_millis: u32::try_from(number("jitter")?).unwrap_or(0),
            caught_up: number("caught_up")? != 0,
        }),
        None => None,
    };
    let name = |text: &str| JobName::Shared(text.into());
    let details = row.try_get::<Option<&str>, _>("details")?;
    let details = details
        .and_then(|text| serde_json::from_str(text).map_or_else(|error| unreadable(state, &error), Some));
    let count = |column: &str| Ok::<_, sqlx::Error>(u32::try_from(number(column)?).unwrap_or(u32::MAX));
    let record = RunRecord {
        id,
        job: name(row.try_get("job")?),
        state,
        origin: match row.try_get::<&str, _>("origin")? {
            "slot" => Origin::Slot,
            "run_now" => Origin::RunNow,
            _ => Origin::Submission,
        },
        attempt: count("attempt")?,
        retries: count("retries")?,
        queue: name(row.try_get("queue")?),
        priority: i8::try_from(number("priority")?).unwrap_or(0),
        slot,
        schedule: None,
        is_awaited: number("awaited")? != 0,
        arguments: row.try_get::<Option<&str>, _>("arguments")?.map(Into::into),
        details,
    };
    Ok(LoadedRun { record, schedule: row.try_get("schedule")? })
}
