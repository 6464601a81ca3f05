//! Runs, and ends of runs, that transactions of the program's have written into the file.
//!
//! SQLite has one writing transaction at a time. So when the writer has begun one, every other is over: what was written there is
//! in the file, or never will be. Until then nothing is known, and the writer looks once a second, or when it is told.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::write::{insert, list, seq};
use crate::job::run::RunId;
use crate::store::journal::{Commits, RunRecord};

/// How often the writer looks whether a transaction of the program's is over.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// What a transaction has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) run: RunId,
    pub(crate) ticket: Ticket,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The run itself.
    Run,
    /// That it has succeeded.
    End,
}

/// Tells what was written from everything else: the end of a run may be written by several transactions, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(u64);

/// What is perhaps in the file.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    written: Mutex<Vec<Written>>,
    tickets: AtomicU64,
    woken: AtomicBool,
}

impl Outside {
    fn lock(&self) -> MutexGuard<'_, Vec<Written>> {
        // Each step leaves it whole.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// A transaction that has not ended has written this.
    pub(crate) fn add(&self, written: Written, commits: &Commits) {
        self.lock().push(written);
        // The writer may sleep for good.
        commits.call();
    }

    /// The transaction may be over.
    pub(crate) fn wake(&self, commits: &Commits) {
        if !self.lock().is_empty() {
            self.woken.store(true, Ordering::SeqCst);
            commits.call();
        }
    }

    pub(crate) fn contains(&self, run: RunId) -> bool {
        self.lock().iter().any(|written| written.run == run)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::SeqCst)
    }

    pub(super) fn all(&self) -> Vec<Written> {
        self.lock().clone()
    }

    pub(super) fn settle(&self, all: &[Written]) {
        let settled: HashSet<_> = all.iter().map(|written| written.ticket).collect();
        self.lock().retain(|written| !settled.contains(&written.ticket));
    }
}

/// Of these, those that are in the file.
pub(super) async fn present(
    transaction: &mut Transaction<'_, Sqlite>,
    all: &[Written],
) -> Result<HashSet<Ticket>, sqlx::Error> {
    if all.is_empty() {
        return Ok(HashSet::new());
    }
    let runs: Vec<_> = all.iter().map(|written| written.run).collect();
    let found = found_there(transaction, &runs).await?;
    let is_there = |written: &&Written| match (found.get(&seq(written.run)), written.what) {
        (None, _) => false,
        (Some(_), What::Run) => true,
        (Some(has_ended), What::End) => *has_ended,
    };
    Ok(all.iter().filter(is_there).map(|written| written.ticket).collect())
}

/// Of these runs, those that a connection sees.
pub(crate) async fn written_there(
    connection: &mut SqliteConnection,
    runs: &[RunId],
) -> Result<Vec<RunId>, sqlx::Error> {
    let found = found_there(connection, runs).await?;
    Ok(runs.iter().filter(|run| found.contains_key(&seq(**run))).copied().collect())
}

/// Whether a connection sees that a run has ended.
pub(crate) async fn has_ended_there(
    connection: &mut SqliteConnection,
    run: RunId,
) -> Result<bool, sqlx::Error> {
    Ok(found_there(connection, &[run]).await?.get(&seq(run)) == Some(&true))
}

/// Of these runs, by their keys, those that a connection sees, and whether they have ended.
async fn found_there(
    connection: &mut SqliteConnection,
    runs: &[RunId],
) -> Result<HashMap<i64, bool>, sqlx::Error> {
    let sql = "SELECT seq, state = 'ended' FROM jobs_run WHERE seq IN (SELECT value FROM json_each(?))";
    let wanted = list(runs.iter().map(|run| serde_json::Value::from(seq(*run))));
    let rows = sqlx::query(sql).bind(wanted).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Writes a run, or its end, in a transaction of the program's, with the key of its schedule.
pub(crate) async fn write_outside(
    connection: &mut SqliteConnection,
    run: RunRecord,
    schedule: Option<String>,
) -> Result<(), sqlx::Error> {
    insert(connection, &[(run, schedule)]).await
}

/// Lets a transaction of the program's be the one that writes, and answers whether it is one on this file.
///
/// Before anything is read in it: one that has read and then wants to write does not wait for another that does, but fails.
pub(crate) async fn begin_on(connection: &mut SqliteConnection, path: &Path) -> Result<bool, sqlx::Error> {
    match sqlx::query("UPDATE jobs_meta SET clean = clean WHERE id = 0").execute(&mut *connection).await {
        Err(sqlx::Error::Database(error)) if error.message().contains("no such table") => return Ok(false),
        begun => begun?,
    };
    let sql = "SELECT file FROM pragma_database_list WHERE name = 'main'";
    let file: Option<String> = sqlx::query_scalar(sql).fetch_one(connection).await?;
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    let file = file.filter(|file| !file.is_empty()).and_then(|file| whole(Path::new(&file)));
    Ok(file.is_some() && file == whole(path))
}
