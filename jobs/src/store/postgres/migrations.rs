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
use super::trouble::is_held;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) version: i32,
    /// The version of the schema that a node must at least know to work with this one.
    pub(super) oldest: i32,
    pub(super) sql: &'static str,
}

pub(super) const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, oldest: 1, sql: include_str!("migrations/0001.sql") }];

/// What stands among the versions where those who use the schema go by the clock of a test.
const VIRTUAL: i32 = 0;

/// How long a step waits for a table that others have open, and everybody who wants it behind that step.
const LOCK_PATIENCE: &str = "set local lock_timeout = '2s'";

/// How long those have their turn before it is tried again, and how often it is: half a minute in all.
const TURN: Duration = Duration::from_secs(1);
pub(super) const TRIES: u32 = 10;

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
    /// A transaction of somebody else's has held what is to be changed, whenever it was tried.
    Held,
}

impl From<sqlx::Error> for MigrationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Brings the schema up to date, if it is not. One that a test on virtual time has made belongs to such tests.
pub(crate) async fn migrate(pool: &PgPool, schema: &Schema, is_virtual: bool) -> Result<(), MigrationError> {
    migrate_to(MIGRATIONS, TRIES, pool, schema, is_virtual).await
}

/// The same by these steps, which are in order. What others hold is tried for so many times.
pub(super) async fn migrate_to(
    steps: &[Migration],
    tries: u32,
    pool: &PgPool,
    schema: &Schema,
    is_virtual: bool,
) -> Result<(), MigrationError> {
    let mut connection = pool.acquire().await?;
    let (mut rounds, mut held) = (0_u64, 0);
    loop {
        match migrate_once(steps, &mut connection, schema, is_virtual).await {
            Err(MigrationError::Database(error)) if is_held(&error) => {
                held += 1;
                if held >= tries {
                    return Err(MigrationError::Held);
                }
                tokio::time::sleep(TURN).await;
            }
            // Four nodes meet, not four hundred; and each failure means that another has got further.
            Err(MigrationError::Database(error)) if rounds < 100 && is_collision(&error) => {
                rounds += 1;
                tokio::time::sleep(Duration::from_millis(5 * rounds.min(20))).await;
            }
            done => return done,
        }
    }
}

/// What simultaneous creation fails with.
fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // unique_violation (in the server's own catalogue), duplicate_schema, duplicate_table, duplicate_object,
    // deadlock_detected, serialization_failure, internal_error ("tuple concurrently updated").
    let codes = ["23505", "42P06", "42P07", "42710", "40P01", "40001", "XX000"];
    code.is_some_and(|code| codes.contains(&code.as_ref()))
}

async fn migrate_once(
    steps: &[Migration],
    connection: &mut PgConnection,
    schema: &Schema,
    is_virtual: bool,
) -> Result<(), MigrationError> {
    // The version that this one knows.
    let known = steps.last().map_or(0, |step| step.version);
    // Teams that migrate themselves give this role no right to create anything.
    let found = version(connection, schema).await?;
    if let Some(found) = &found
        && found.version >= known
    {
        return found.check(known, is_virtual);
    }
    // An index on what is there takes as long as it takes, and so do those that are before this one.
    let begin = "begin; set local statement_timeout = 0; set local lock_timeout = 0";
    let mut tx = connection.begin_with(begin).await?;
    if found.is_none() {
        // That it need not be made is not enough: who may not make one is refused all the same.
        let exists = "select exists (select from pg_namespace where nspname = $1)";
        if !sqlx::query_scalar::<_, bool>(exists).bind(schema.to_string()).fetch_one(&mut *tx).await? {
            let create = sqlx::AssertSqlSafe(format!("create schema if not exists \"{schema}\""));
            sqlx::raw_sql(create).execute(&mut *tx).await?;
        }
        sqlx::raw_sql(schema.sql(VERSIONS)).execute(&mut *tx).await?;
    }
    sqlx::raw_sql(schema.sql("lock table jobs.migration in exclusive mode")).execute(&mut *tx).await?;
    let found = version(&mut tx, schema).await?.unwrap_or_default();
    found.check(known, is_virtual)?;
    // All claims would wait behind a step that waits for somebody who reads for hours.
    sqlx::raw_sql(LOCK_PATIENCE).execute(&mut *tx).await?;
    let insert = "insert into jobs.migration (version, oldest) values ($1, $2)";
    if is_virtual && found.version == 0 {
        sqlx::query(schema.sql(insert)).bind(VIRTUAL).bind(0).execute(&mut *tx).await?;
    }
    for migration in steps.iter().filter(|step| step.version > found.version) {
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
    /// Whether somebody gets on with it who knows that version, and goes by that clock.
    fn check(&self, known: i32, is_virtual: bool) -> Result<(), MigrationError> {
        if self.oldest > known {
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

/// The migrations behind a version as SQL, for `psql --single-transaction`; all of them behind 0.
pub(crate) fn as_sql(schema: &Schema, behind: u32) -> String {
    let text = match behind {
        0 => format!("create schema if not exists \"{schema}\";\n{};\n", schema.text(VERSIONS)),
        _ => String::new(),
    };
    text + &steps(schema, MIGRATIONS, behind)
}

fn steps(schema: &Schema, migrations: &[Migration], behind: u32) -> String {
    let mut text = String::new();
    let is_missing = |migration: &&Migration| i64::from(migration.version) > i64::from(behind);
    for Migration { version, oldest, sql } in migrations.iter().filter(is_missing) {
        let insert = schema.text("insert into jobs.migration (version, oldest) values");
        text += &format!("\n-- Version {version}.\n{}{insert} ({version}, {oldest});\n", schema.text(sql));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_behind_a_version() {
        let schema = Schema::parse("billing").expect("it needs no quotes");
        let step = |version, sql| Migration { version, oldest: 1, sql };
        let migrations = [
            step(1, "create table jobs.one ();\n"),
            step(2, "create table jobs.two ();\n"),
            step(3, "create table jobs.three ();\n"),
        ];
        let text = steps(&schema, &migrations, 1);
        assert_eq!(
            text,
            "\n-- Version 2.\ncreate table \"billing\".two ();\n\
             insert into \"billing\".migration (version, oldest) values (2, 1);\n\
             \n-- Version 3.\ncreate table \"billing\".three ();\n\
             insert into \"billing\".migration (version, oldest) values (3, 1);\n"
        );
        assert_eq!(steps(&schema, &migrations, 3), "");
        assert_eq!(steps(&schema, &migrations, 4), "");
    }
}
