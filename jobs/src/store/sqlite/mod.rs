//! The store in a file of SQLite: what the state machine in memory has decided, written down so that it outlives the process.
//!
//! One process owns the file: it holds a [lock] beside it for as long as it runs, and reads what the one before has left
//! when it starts. From then on it only writes, in transactions that hold everything which has come together since the one
//! before (group commit), on a thread of its own: a program that blocks its runtime does not hold commits up, and a slow
//! disk holds up nobody but those who wait for it.
//!
//! The tables may stand in a database that has others as well; their names begin with `jobs_`.

mod load;
mod lock;
mod outside;
mod schema;
#[cfg(test)]
mod tests;
mod write;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

pub(crate) use load::{Loaded, LoadedRun};
use lock::Lock;
pub(crate) use outside::{
    Outside, Ticket, What, Written, begin_on, has_ended_there, write_outside, written_there,
};
pub(crate) use write::{Batch, ScheduleRow};
pub(crate) use writer::Writer;

/// What a commit outlives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Synchronous {
    /// The end of the process, and of the power.
    #[default]
    Full,
    /// The end of the process; the last commits may be lost with the power.
    Normal,
}

/// In bytes: 16 MiB, four times what it has between checkpoints.
const WAL_AFTER_READERS: &str = "16777216";

/// An open database, which this process owns.
#[derive(Debug)]
pub(crate) struct Database {
    connection: SqliteConnection,
    /// For another connection when that one has failed.
    connect: SqliteConnectOptions,
    failed: bool,
    path: PathBuf,
    _lock: Lock,
}

/// Why a database cannot be used.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// Another process has it.
    Owned {
        path: PathBuf,
        by: Option<u32>,
    },
    /// It was written by a later version.
    TooNew {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
    Sql {
        path: PathBuf,
        error: sqlx::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owned { path, by: Some(pid) } => {
                write!(f, "`{}` belongs to another process, {pid}", path.display())
            }
            Self::Owned { path, by: None } => write!(f, "`{}` belongs to another process", path.display()),
            Self::TooNew { path, found, known } => write!(
                f,
                "`{}` was written by a later version of jobs: its schema is {found}, and this version knows {known}",
                path.display()
            ),
            Self::Io { path, error } => write!(f, "`{}` cannot be opened: {error}", path.display()),
            Self::Sql { path, error } => {
                write!(f, "`{}` cannot be opened: {}", path.display(), shown(error))
            }
        }
    }
}

/// The message of the database without the noise around it.
fn shown(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}

impl Database {
    /// Opens the database, makes it where there is none, and brings its tables up to date.
    pub(crate) async fn open(path: &Path, synchronous: Synchronous) -> Result<Self, OpenError> {
        let lock = Lock::take(path)?;
        let path = path.to_owned();
        let sql = |error| OpenError::Sql { path: path.clone(), error };
        let connect = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match synchronous {
                Synchronous::Full => SqliteSynchronous::Full,
                Synchronous::Normal => SqliteSynchronous::Normal,
            })
            .busy_timeout(std::time::Duration::from_secs(5))
            // A reader of hours lets the WAL grow; when it is gone, the file shrinks to this again.
            .pragma("journal_size_limit", WAL_AFTER_READERS)
            // On macOS only this outlives a power cut, and nowhere else it does anything.
            .pragma("fullfsync", "1")
            .disable_statement_logging();
        let mut connection = connect.connect().await.map_err(sql)?;
        match schema::migrate(&mut connection).await.map_err(sql)? {
            Ok(()) => Ok(Self { connection, connect, failed: false, path, _lock: lock }),
            Err(found) => Err(OpenError::TooNew { path: path.clone(), found, known: schema::VERSION }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
