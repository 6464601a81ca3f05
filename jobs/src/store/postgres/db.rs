//! A database, and the schema in it.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{AssertSqlSafe, PgPool};

use super::schema::Schema;

/// The server with our tables. Its methods are in the files of what they are about; each is one statement or one
/// short transaction, so that a pooler in transaction mode may stand between.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pub(super) pool: PgPool,
    pub(super) schema: Schema,
}

impl Db {
    pub(crate) fn new(pool: PgPool, schema: Schema) -> Self {
        Self { pool, schema }
    }

    /// SQL of ours for this schema; see [`Schema::sql`].
    pub(super) fn sql(&self, sql: &'static str) -> AssertSqlSafe<String> {
        self.schema.sql(sql)
    }
}

/// A length of time as the server's.
pub(super) fn interval(length: Duration) -> PgInterval {
    let microseconds = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
