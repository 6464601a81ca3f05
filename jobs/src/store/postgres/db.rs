//! A database, and the schema in it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

use super::schema::Schema;
use crate::clock::Clock;

/// How long a transaction of ours may do nothing.
pub(super) const STANDSTILL: &str = "5s";

/// How long what others have locked is waited for. Nobody who is well takes that long.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// The same where nobody else suffers for it: longer than anybody waits for an answer.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// The same of who has waited already.
pub(super) const SHORT: Duration = Duration::from_millis(50);

/// The server with our tables. Its methods are in the files of what they are about; each is one statement or one
/// short transaction, so that a pooler in transaction mode may stand between.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pub(super) pool: PgPool,
    pub(super) schema: Schema,
    /// The clock of a test, in the place of the server's.
    #[cfg(feature = "testing")]
    clock: Option<Arc<Clock>>,
}

impl Db {
    pub(crate) fn new(pool: PgPool, schema: Schema) -> Self {
        Self {
            pool,
            schema,
            #[cfg(feature = "testing")]
            clock: None,
        }
    }

    /// Goes by a clock where that is a test's, and by the server's otherwise.
    pub(super) fn by(self, clock: &Arc<Clock>) -> Self {
        #[cfg(feature = "testing")]
        return Self { clock: Some(Arc::clone(clock)).filter(|clock| clock.is_virtual()), ..self };
        #[cfg(not(feature = "testing"))]
        {
            let _ = clock;
            self
        }
    }

    /// Begins a transaction that waits for each lock of others no longer than this, then it is
    /// [`Held`](super::trouble::Trouble::Held).
    ///
    /// A node that stands still in the middle of it is thrown out by the server, so that what it has locked is free; and what
    /// follows a lock sees what the one before has left, whatever the role is set to. Both are said here and not to the session
    /// because poolers give out sessions as they please.
    pub(super) async fn begin(&self, patience: Duration) -> sqlx::Result<Transaction<'static, Postgres>> {
        let begin = format!(
            "begin isolation level read committed; \
             set local lock_timeout = '{}ms'; \
             set local idle_in_transaction_session_timeout = '{STANDSTILL}'",
            patience.as_millis()
        );
        self.pool.begin_with(AssertSqlSafe(begin)).await
    }

    /// SQL of ours for this schema; see [`Schema::sql`].
    pub(super) fn sql(&self, sql: &'static str) -> AssertSqlSafe<String> {
        #[cfg(feature = "testing")]
        if let Some(clock) = &self.clock {
            let now = clock.now().wall.to_chrono().format("'%F %T%.6f+00'::timestamptz").to_string();
            let sql = self.schema.text(sql).replace("clock_timestamp()", &now).replace("now()", &now);
            return AssertSqlSafe(sql);
        }
        self.schema.sql(sql)
    }
}

/// The end of a transaction. One that is given up is over when this returns, so that what it had locked is free.
pub(super) async fn settle<T>(tx: Transaction<'_, Postgres>, answer: sqlx::Result<T>) -> sqlx::Result<T> {
    match answer {
        Ok(_) => tx.commit().await?,
        // The connection has ended, and with it what it held.
        Err(_) => drop(tx.rollback().await),
    }
    answer
}

/// A length of time as the server's.
pub(super) fn interval(length: Duration) -> PgInterval {
    let microseconds = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
