//! The tables, and how those of an earlier version become these.

use sqlx::{Connection, Row, SqliteConnection};

/// The version of the tables below.
pub(super) const VERSION: i64 = 1;

/// What takes the tables from the version before, the first from nothing.
const MIGRATIONS: [&str; VERSION as usize] = ["
    -- One row: the version of these tables, and whether the process that had them last has ended in good order.
    CREATE TABLE jobs_meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        version INTEGER NOT NULL,
        clean INTEGER NOT NULL
    ) STRICT;
    INSERT INTO jobs_meta (id, version, clean) VALUES (1, 0, 1);

    -- One row for each run, live or ended. The identity of a run is seq (milliseconds and a counter) with node (bits of the
    -- process that has made it); seq alone is unique here, and the order of submission. Nothing is looked up by anything
    -- else while the program runs, so there is no other index.
    CREATE TABLE jobs_run (
        seq INTEGER PRIMARY KEY,
        node INTEGER NOT NULL,
        job TEXT NOT NULL,
        -- scheduled, waiting, available, running, ended
        state TEXT NOT NULL,
        -- slot, submission, run_now
        origin TEXT NOT NULL,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        -- Attempts that have begun, and how many may follow the first.
        attempt INTEGER NOT NULL,
        retries INTEGER NOT NULL,
        -- Times are nanoseconds since 1970. When it is due (scheduled) or has become available.
        due INTEGER,
        started INTEGER,
        finished INTEGER,
        -- The slot that it is for: its time, its jitter in milliseconds, whether it is made up for; and its schedule, which may
        -- wait for its end.
        slot INTEGER,
        jitter INTEGER,
        caught_up INTEGER,
        schedule TEXT,
        awaited INTEGER,
        -- JSON.
        arguments TEXT,
        details TEXT
    ) STRICT;

    -- One row for each schedule: where it goes on, and its ledger, as JSON.
    CREATE TABLE jobs_schedule (
        job TEXT NOT NULL,
        key TEXT NOT NULL,
        saved TEXT NOT NULL,
        PRIMARY KEY (job, key)
    ) STRICT, WITHOUT ROWID;

    -- What is paused: jobs (with since when) and queues.
    CREATE TABLE jobs_pause (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        since INTEGER,
        PRIMARY KEY (kind, name)
    ) STRICT, WITHOUT ROWID;
"];

/// Brings the tables up to date; `Err` is the version of tables that are ahead of this one.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<Result<(), i64>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let known = sqlx::query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'jobs_meta'");
    let found: i64 = match known.fetch_optional(&mut *transaction).await? {
        Some(_) => {
            sqlx::query("SELECT version FROM jobs_meta").fetch_one(&mut *transaction).await?.try_get(0)?
        }
        None => 0,
    };
    let Some(missing) = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..)) else {
        return Ok(Err(found));
    };
    for migration in missing {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    if !missing.is_empty() {
        sqlx::query("UPDATE jobs_meta SET version = ?").bind(VERSION).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(Ok(()))
}
