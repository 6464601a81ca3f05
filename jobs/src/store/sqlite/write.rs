//! A transaction: everything that has come together, in a few statements however much it is.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};

use super::Database;
use super::outside::{Ticket, Written, present};
use crate::clock::Timestamp;
use crate::job::options::Origin;
use crate::job::run::RunId;
use crate::store::journal::{Pauses, Recorded, RunRecord};

/// What is written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Each with the key of its schedule.
    pub(crate) runs: Vec<(RunRecord, Option<String>)>,
    pub(crate) gone: Vec<RunId>,
    pub(crate) schedules: Vec<ScheduleRow>,
    /// By job and key.
    pub(crate) removed: Vec<(String, String)>,
    pub(crate) pauses: Option<Pauses>,
}

/// A schedule as it is written down.
#[derive(Debug, Clone)]
pub(crate) struct ScheduleRow {
    pub(crate) job: String,
    pub(crate) key: String,
    pub(crate) saved: String,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { runs, gone, schedules, removed, pauses } = self;
        runs.is_empty() && gone.is_empty() && schedules.is_empty() && removed.is_empty() && pauses.is_none()
    }

    /// Adds what has come later, while this could not be written.
    pub(crate) fn add(&mut self, later: Self) {
        let Self { runs, gone, schedules, removed, pauses } = later;
        if self.runs.is_empty() {
            self.runs = runs;
        } else {
            self.add_runs(runs);
        }
        self.gone.extend(gone);
        // A schedule that was removed and added again is there.
        self.removed.retain(|of| !schedules.iter().any(|row| (&row.job, &row.key) == (&of.0, &of.1)));
        self.schedules.retain(|row| !removed.iter().any(|of| (&row.job, &row.key) == (&of.0, &of.1)));
        self.schedules.extend(schedules);
        self.removed.extend(removed);
        self.pauses = pauses.or(self.pauses.take());
    }
}

impl Batch {
    /// Of a run only the last is to be written, so that what cannot be written does not pile up; its arguments are in the first.
    fn add_runs(&mut self, later: Vec<(RunRecord, Option<String>)>) {
        let places = self.runs.iter().enumerate().map(|(place, (run, _))| (run.id, place));
        let mut places: HashMap<RunId, usize> = places.collect();
        for (mut run, schedule) in later {
            match places.get(&run.id) {
                Some(place) => {
                    let (before, before_schedule) = &mut self.runs[*place];
                    run.arguments = run.arguments.or_else(|| before.arguments.take());
                    *before_schedule = schedule.or_else(|| before_schedule.take());
                    *before = run;
                }
                None => {
                    places.insert(run.id, self.runs.len());
                    self.runs.push((run, schedule));
                }
            }
        }
    }
}

/// The columns in the order of the values of [`row`]. What has ended stays so: its job may have completed it in a transaction of
/// its own, of which who has written this did not know.
const WRITE_RUNS: &str = "
    INSERT INTO jobs_run (seq, node, job, state, origin, queue, priority, attempt, retries, due, started, finished, slot,
        jitter, caught_up, schedule, awaited, arguments, details)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15,
        value ->> 16, value ->> 17, value ->> 18
    FROM json_each(?) WHERE true
    ON CONFLICT (seq) DO UPDATE SET job = excluded.job, schedule = coalesce(excluded.schedule, schedule),
        awaited = coalesce(excluded.awaited, awaited), arguments = coalesce(excluded.arguments, arguments),
        state = iif(state = 'ended', state, excluded.state),
        attempt = iif(state = 'ended' AND excluded.state <> 'ended', attempt, excluded.attempt),
        due = iif(state = 'ended' AND excluded.state <> 'ended', due, excluded.due),
        started = iif(state = 'ended' AND excluded.state <> 'ended', started, excluded.started),
        finished = iif(state = 'ended' AND excluded.state <> 'ended', finished, excluded.finished),
        details = iif(state = 'ended' AND excluded.state <> 'ended', details, excluded.details)";

fn nanos(at: Timestamp) -> Value {
    Value::from(at.as_nanos())
}

/// The key of a run in the table.
pub(super) fn seq(id: RunId) -> i64 {
    id.sequence().cast_signed()
}

fn row((run, schedule): &(RunRecord, Option<String>)) -> [Value; 19] {
    const NONE: Value = Value::Null;
    let (state, due, started, finished) = match run.state {
        Recorded::Scheduled { due } => ("scheduled", nanos(due), NONE, NONE),
        Recorded::Waiting => ("waiting", NONE, NONE, NONE),
        Recorded::Available { since } => ("available", nanos(since), NONE, NONE),
        Recorded::Running { started } => ("running", NONE, nanos(started), NONE),
        Recorded::Ended { started, finished } => ("ended", NONE, nanos(started), nanos(finished)),
    };
    let slot = run.slot;
    let text = |text: &str| Value::from(text);
    [
        Value::from(seq(run.id)),
        Value::from(run.id.node()),
        text(&run.job),
        text(state),
        text(match run.origin {
            Origin::Slot => "slot",
            Origin::RunNow => "run_now",
            Origin::Submission | Origin::Startup | Origin::BlockingStart => "submission",
        }),
        text(&run.queue),
        Value::from(run.priority),
        Value::from(run.attempt),
        Value::from(run.retries),
        due,
        started,
        finished,
        slot.map_or(NONE, |slot| nanos(slot.at)),
        slot.map_or(NONE, |slot| Value::from(slot.jitter_millis)),
        slot.map_or(NONE, |slot| Value::from(u8::from(slot.caught_up))),
        schedule.as_deref().map_or(NONE, text),
        slot.map_or(NONE, |_| Value::from(u8::from(run.is_awaited))),
        run.arguments.as_deref().map_or(NONE, text),
        // Everything in it can be written as JSON.
        run.details
            .as_ref()
            .and_then(|details| serde_json::to_string(details).ok())
            .map_or(NONE, Value::from),
    ]
}

/// A list for `json_each`.
pub(super) fn list(items: impl Iterator<Item = Value>) -> String {
    Value::Array(items.collect()).to_string()
}

impl Database {
    /// Writes a batch, or nothing of it.
    ///
    /// Answers what is there of that which transactions of the program's may have written: these are over by then.
    pub(super) async fn write(
        &mut self,
        batch: &Batch,
        outside: &[Written],
    ) -> Result<HashSet<Ticket>, sqlx::Error> {
        if self.failed {
            // The database may have given up the transaction by itself, as when the disk was full: a connection that is new
            // knows nothing of it.
            self.connection = self.connect.connect().await?;
            self.failed = false;
        }
        let written = self.transact(batch, outside).await;
        self.failed = written.is_err();
        written
    }

    async fn transact(&mut self, batch: &Batch, outside: &[Written]) -> Result<HashSet<Ticket>, sqlx::Error> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let there = present(&mut transaction, outside).await?;
        write(&mut transaction, batch).await?;
        transaction.commit().await?;
        Ok(there)
    }

    /// Says whether the process ends in good order, or may not.
    pub(crate) async fn set_clean(&mut self, clean: bool) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE jobs_meta SET clean = ?")
            .bind(clean)
            .execute(&mut self.connection)
            .await
            .map(drop)
    }

    /// Makes the file whole, and lets it go.
    pub(super) async fn close(mut self) {
        let _ = self.set_clean(true).await;
        let _ = SqliteConnection::close(self.connection).await;
    }
}

/// Writes runs, or how they are now.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    runs: &[(RunRecord, Option<String>)],
) -> Result<(), sqlx::Error> {
    let rows = list(runs.iter().map(|run| Value::from(row(run).to_vec())));
    sqlx::query(WRITE_RUNS).bind(rows).execute(connection).await?;
    Ok(())
}

async fn write(transaction: &mut Transaction<'_, Sqlite>, batch: &Batch) -> Result<(), sqlx::Error> {
    let Batch { runs, gone, schedules, removed, pauses } = batch;
    if !runs.is_empty() {
        insert(transaction, runs).await?;
    }
    if !gone.is_empty() {
        let gone = list(gone.iter().map(|id| Value::from(seq(*id))));
        let delete = "DELETE FROM jobs_run WHERE seq IN (SELECT value FROM json_each(?))";
        sqlx::query(delete).bind(gone).execute(&mut **transaction).await?;
    }
    for (job, key) in removed {
        let delete = "DELETE FROM jobs_schedule WHERE job = ? AND key = ?";
        sqlx::query(delete).bind(job).bind(key).execute(&mut **transaction).await?;
    }
    if !schedules.is_empty() {
        let rows = list(schedules.iter().map(|row| {
            Value::from(vec![
                row.job.as_str().into(),
                row.key.as_str().into(),
                Value::from(row.saved.as_str()),
            ])
        }));
        let insert = "
            INSERT INTO jobs_schedule (job, key, saved)
            SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
            ON CONFLICT (job, key) DO UPDATE SET saved = excluded.saved";
        sqlx::query(insert).bind(rows).execute(&mut **transaction).await?;
    }
    if let Some(Pauses { jobs, queues }) = pauses {
        sqlx::query("DELETE FROM jobs_pause").execute(&mut **transaction).await?;
        let jobs = jobs.iter().map(|(job, since)| ("job", job, Some(since.as_nanos())));
        for (kind, name, since) in jobs.chain(queues.iter().map(|queue| ("queue", queue, None))) {
            let insert = "INSERT INTO jobs_pause (kind, name, since) VALUES (?, ?, ?)";
            sqlx::query(insert).bind(kind).bind(name).bind(since).execute(&mut **transaction).await?;
        }
    }
    Ok(())
}
