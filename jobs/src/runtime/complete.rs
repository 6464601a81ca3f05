//! A job completes its run in a transaction of its own.

use std::fmt;

use super::in_tx::StoreTransaction;
use super::in_tx::sealed::Connection;
use super::{Inner, Jobs};
use crate::job::JobContext;

/// Why a run could not be completed in a transaction.
#[derive(Debug, Clone)]
pub struct CompleteError(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// The run is not this attempt's any more.
    Lost,
    /// It is not in the database of the transaction.
    Elsewhere,
    Database(String),
}

/// What has come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completed {
    /// It is, when the transaction commits.
    Done,
    /// It is not this attempt's any more.
    Lost,
    /// It is not in the database: it belongs to this process.
    Elsewhere,
}

impl CompleteError {
    /// Whether the run is not this attempt's any more: its process was taken for lost, and another tries it, or the run was
    /// completed before. The transaction is to be rolled back.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self.0, Kind::Lost)
    }
}

impl fmt::Display for CompleteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Lost => f.write_str("the run is not this attempt's any more; roll the transaction back"),
            Kind::Elsewhere => f.write_str(
                "a run is completed in a transaction on the database that `jobs.store` names, and not that of a closure or a \
                 start-up job",
            ),
            Kind::Database(why) => write!(f, "the run cannot be completed in the transaction: {why}"),
        }
    }
}

impl std::error::Error for CompleteError {}

impl JobContext {
    /// Completes the run in a transaction of the job's own, on the database that is the store: what it has written there and that
    /// the run has succeeded become true together, when the transaction commits. Runs happen at least once; what is done in such a
    /// transaction has its effect **once**.
    ///
    /// After the commit the run has succeeded, whatever the attempt returns. When the transaction is rolled back nothing has
    /// happened, and the attempt counts by what it returns. What the attempt has said by then by [`log`](Self::log) and
    /// [`output`](Self::output) is kept on SQLite, what it says later as well unless the process ends in between; on PostgreSQL
    /// neither is.
    ///
    /// On SQLite the run ends when its attempt does and the transaction is over, and this makes the transaction the one that
    /// writes: one that has read before and finds another writing fails, so begin it by `pool.begin_with("BEGIN IMMEDIATE")`.
    ///
    #[cfg_attr(feature = "postgres", doc = "```")]
    #[cfg_attr(not(feature = "postgres"), doc = "```ignore")]
    /// # use jobs::{JobContext, job};
    /// #[job]
    /// async fn charge(#[state] pool: &sqlx::PgPool, cx: &JobContext, account: i64) -> Result<(), jobs::BoxError> {
    ///     let mut tx = pool.begin().await?;
    ///     sqlx::query("update accounts set paid = true where id = $1").bind(account).execute(&mut *tx).await?;
    ///     cx.complete_in(&mut tx).await?;
    ///     tx.commit().await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// A run that is not this attempt's any more ([`CompleteError::is_lost`]); one that is not in the database of the transaction; what
    /// the database says. The transaction is to be rolled back then, which it is when it is dropped.
    pub async fn complete_in<T: StoreTransaction + ?Sized>(&self, tx: &mut T) -> Result<(), CompleteError> {
        let inner = self.surroundings.host.upgrade().and_then(|host| host.downcast::<Inner>().ok());
        let jobs = inner.map(|inner| Jobs { inner }).ok_or(CompleteError(Kind::Lost))?;
        match tx.connection() {
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => {
                let cluster = jobs.inner.cluster.get().ok_or(CompleteError(Kind::Elsewhere))?;
                let completed = cluster.complete_in(&jobs, self, connection).await;
                Self::completed(completed.map_err(|error| error.to_string()))
            }
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => {
                let durable = jobs.inner.durable.as_ref().ok_or(CompleteError(Kind::Elsewhere))?;
                Self::completed(durable.complete_in(&jobs, self, connection).await)
            }
        }
    }

    fn completed(completed: Result<Completed, String>) -> Result<(), CompleteError> {
        match completed.map_err(|why| CompleteError(Kind::Database(why)))? {
            Completed::Done => Ok(()),
            Completed::Lost => Err(CompleteError(Kind::Lost)),
            Completed::Elsewhere => Err(CompleteError(Kind::Elsewhere)),
        }
    }
}
