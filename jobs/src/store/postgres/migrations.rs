//! The schema, version by version, and how a database comes to have it.
//!
//! Nodes start together, and all of them migrate. They need neither an advisory lock nor a session for it, which
//! poolers in transaction mode do not give: whoever gets the lock of the table of versions goes first, and the creation
//! of that table itself, at which the server lets simultaneous transactions fail, is tried again.
//!
//! A migration only adds, so that nodes of the version before go on beside those that have migrated. One that cannot
//! says which version of ours is the oldest that gets on with it, and older ones refuse to start.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool, Row};

use super::schema::Schema;

/// One step of the schema.
struct Migration {
    version: i32,
    /// The version of the schema that a node must at least know to work with this one.
    oldest: i32,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, oldest: 1, sql: include_str!("migrations/0001.sql") },
    Migration { version: 2, oldest: 1, sql: include_str!("migrations/0002.sql") },
];

/// What stands among the versions where those who use the schema go by the clock of a test.
const VIRTUAL: i32 = 0;

/// The version that this one knows.
const KNOWN: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

const VERSIONS: &str = "\
create table if not exists jobs.migration (
    version integer primary key,
    -- The version of the schema that a node must at least know to work with this one.
    oldest integer not null,
    applied timestamptz not null default now()
)";

/// The schema could not be brought up to date.
#[derive(Debug)]
pub(crate) enum MigrationError {
    Database(sqlx::Error),
    /// A newer version has changed the schema, and only those that know this much get on with it.
    TooOld {
        needed: i32,
    },
    /// Those who use it go by the clock of a test, and this one does not, or the reverse.
    OtherClock {
        is_virtual: bool,
    },
}

impl From<sqlx::Error> for MigrationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Brings the schema up to date, if it is not. One that a test on virtual time has made belongs to such tests.
pub(crate) async fn migrate(pool: &PgPool, schema: &Schema, is_virtual: bool) -> Result<(), MigrationError> {
    let mut connection = pool.acquire().await?;
    // Four nodes meet, not four hundred; and each failure means that another has got further.
    for round in 1_u64.. {
        match migrate_once(&mut connection, schema, is_virtual).await {
            Err(MigrationError::Database(error)) if round < 100 && is_collision(&error) => {
                tokio::time::sleep(Duration::from_millis(5 * round.min(20))).await;
            }
            done => return done,
        }
    }
    unreachable!("the last round returns")
}

/// What simultaneous creation fails with.
fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // unique_violation (in the server's own catalogue), duplicate_schema, duplicate_table, duplicate_object,
    // deadlock_detected, serialization_failure, lock_not_available, internal_error ("tuple concurrently updated").
    let codes = ["23505", "42P06", "42P07", "42710", "40P01", "40001", "55P03", "XX000"];
    code.is_some_and(|code| codes.contains(&code.as_ref()))
}

async fn migrate_once(
    connection: &mut PgConnection,
    schema: &Schema,
    is_virtual: bool,
) -> Result<(), MigrationError> {
    // Teams that migrate themselves give this role no right to create anything.
    if let Some(found) = version(connection, schema).await?
        && found.version >= KNOWN
    {
        return found.check(is_virtual);
    }
    // An index on what is there takes as long as it takes.
    let mut tx = connection.begin_with("begin; set local statement_timeout = 0").await?;
    let create = sqlx::AssertSqlSafe(format!("create schema if not exists \"{schema}\""));
    sqlx::raw_sql(create).execute(&mut *tx).await?;
    sqlx::raw_sql(schema.sql(VERSIONS)).execute(&mut *tx).await?;
    sqlx::raw_sql(schema.sql("lock table jobs.migration in exclusive mode")).execute(&mut *tx).await?;
    let found = version(&mut tx, schema).await?.unwrap_or_default();
    found.check(is_virtual)?;
    let insert = "insert into jobs.migration (version, oldest) values ($1, $2)";
    if is_virtual && found.version == 0 {
        sqlx::query(schema.sql(insert)).bind(VIRTUAL).bind(0).execute(&mut *tx).await?;
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > found.version) {
        let mut sql = schema.text(migration.sql);
        if is_virtual {
            // The server's time is not that of the rows.
            sql = sql.replace(" default now()", "");
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await?;
        sqlx::query(schema.sql(insert))
            .bind(migration.version)
            .bind(migration.oldest)
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}

/// What the database has.
#[derive(Debug, Default)]
struct Found {
    version: i32,
    oldest: i32,
    is_virtual: bool,
}

impl Found {
    fn check(&self, is_virtual: bool) -> Result<(), MigrationError> {
        if self.oldest > KNOWN {
            return Err(MigrationError::TooOld { needed: self.oldest });
        }
        match self.version > 0 && self.is_virtual != is_virtual {
            true => Err(MigrationError::OtherClock { is_virtual: self.is_virtual }),
            false => Ok(()),
        }
    }
}

/// None where there is no table of versions.
async fn version(connection: &mut PgConnection, schema: &Schema) -> sqlx::Result<Option<Found>> {
    let exists = "select to_regclass($1) is not null";
    let table = format!("\"{schema}\".migration");
    if !sqlx::query_scalar::<_, bool>(exists).bind(table).fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let last = "\
select coalesce(max(version), 0), coalesce(max(oldest), 0), coalesce(bool_or(version = $1), false) from jobs.migration";
    let row = sqlx::query(schema.sql(last)).bind(VIRTUAL).fetch_one(connection).await?;
    Ok(Some(Found { version: row.try_get(0)?, oldest: row.try_get(1)?, is_virtual: row.try_get(2)? }))
}

/// The migrations as SQL, for `psql --single-transaction`.
pub(crate) fn as_sql(schema: &Schema) -> String {
    let mut text = format!("create schema if not exists \"{schema}\";\n{};\n", schema.text(VERSIONS));
    for Migration { version, oldest, sql } in MIGRATIONS {
        let insert = schema.text("insert into jobs.migration (version, oldest) values");
        text += &format!("\n-- Version {version}.\n{}{insert} ({version}, {oldest});\n", schema.text(sql));
    }
    text
}
