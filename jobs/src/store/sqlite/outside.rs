//! Runs that transactions of the program's have written into the file.
//!
//! SQLite has one writing transaction at a time. So when the writer has begun one, every other is over: what was written there is
//! in the file, or never will be. Until then nothing is known, and the writer looks once a second, or when it is told.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::write::{insert, list, seq};
use crate::job::run::RunId;
use crate::store::journal::{Commits, RunRecord};

/// How often the writer looks whether a transaction of the program's is over.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Runs of which it is not known yet whether they are in the file.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    runs: Mutex<Vec<RunId>>,
    woken: AtomicBool,
}

impl Outside {
    fn lock(&self) -> MutexGuard<'_, Vec<RunId>> {
        // Each step leaves it whole.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction that has not ended has written this run.
    pub(crate) fn add(&self, run: RunId, commits: &Commits) {
        self.lock().push(run);
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
        self.lock().contains(&run)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::SeqCst)
    }

    pub(super) fn runs(&self) -> Vec<RunId> {
        self.lock().clone()
    }

    pub(super) fn settle(&self, runs: &[RunId]) {
        let settled: HashSet<_> = runs.iter().collect();
        self.lock().retain(|run| !settled.contains(run));
    }
}

/// Of these runs, those that are in the file.
pub(super) async fn present(
    transaction: &mut Transaction<'_, Sqlite>,
    runs: &[RunId],
) -> Result<HashSet<RunId>, sqlx::Error> {
    if runs.is_empty() {
        return Ok(HashSet::new());
    }
    let there = written_there(transaction, runs).await?;
    Ok(there.into_iter().collect())
}

/// Of these runs, those that a connection sees.
pub(crate) async fn written_there(
    connection: &mut SqliteConnection,
    runs: &[RunId],
) -> Result<Vec<RunId>, sqlx::Error> {
    let sql = "SELECT seq FROM jobs_run WHERE seq IN (SELECT value FROM json_each(?))";
    let wanted = list(runs.iter().map(|run| serde_json::Value::from(seq(*run))));
    let rows = sqlx::query(sql).bind(wanted).fetch_all(connection).await?;
    let found: HashSet<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(runs.iter().filter(|run| found.contains(&seq(**run))).copied().collect())
}

/// Writes a run in a transaction of the program's.
pub(crate) async fn write_outside(
    connection: &mut SqliteConnection,
    run: RunRecord,
) -> Result<(), sqlx::Error> {
    insert(connection, &[(run, None)]).await
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
