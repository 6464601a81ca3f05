//! A database, and the schema in it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{AssertSqlSafe, PgPool};

use super::schema::Schema;
use crate::clock::Clock;

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

/// A length of time as the server's.
pub(super) fn interval(length: Duration) -> PgInterval {
    let microseconds = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
