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
                "a run is completed in a transaction on PostgreSQL, where `jobs.store` names its database, and not that of a closure \
                 or a start-up job",
            ),
            Kind::Database(why) => write!(f, "the run cannot be completed in the transaction: {why}"),
        }
    }
}

impl std::error::Error for CompleteError {}

impl JobContext {
    /// Completes the run in a transaction of the job's own, on the PostgreSQL that is the store: what it has written there and that
    /// the run has succeeded become true together, when the transaction commits. Runs happen at least once; what is done in such a
    /// transaction has its effect **once**.
    ///
    /// After the commit the run has succeeded, whatever the attempt returns. When the transaction is rolled back nothing has
    /// happened, and the attempt counts by what it returns. The lines of [`log`](Self::log) and the output of an attempt that was
    /// completed like this are not kept.
    ///
    /// ```
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
            Connection::Postgres(connection) => {
                let cluster = jobs.inner.cluster.get().ok_or(CompleteError(Kind::Elsewhere))?;
                let completed = cluster.complete_in(&jobs, self, connection).await;
                match completed.map_err(|error| CompleteError(Kind::Database(error.to_string())))? {
                    super::cluster::Completed::Done => Ok(()),
                    super::cluster::Completed::Lost => Err(CompleteError(Kind::Lost)),
                    super::cluster::Completed::Unknown => Err(CompleteError(Kind::Elsewhere)),
                }
            }
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(_) => {
                drop(jobs);
                Err(CompleteError(Kind::Elsewhere))
            }
        }
    }
}
