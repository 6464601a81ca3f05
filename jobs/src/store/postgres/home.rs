//! Which database it is: others may have tables of the same names.

use sqlx::PgConnection;

use super::db::Db;
use super::id::Id;

/// What tells a database from others: an identity that was made with its tables, and its name, since it may have been copied on
/// its server with everything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    installation: Id,
    database: String,
}

const HOME: &str = "select id, current_database()::text from jobs.installation";

const IS_HOME: &str =
    "select current_database() = $2 and exists (select from jobs.installation where id = $1)";

impl Db {
    pub(crate) async fn home(&self) -> sqlx::Result<Home> {
        let (installation, database) = sqlx::query_as(self.sql(HOME)).fetch_one(&self.pool).await?;
        Ok(Home { installation, database })
    }

    /// Whether a connection of somebody else's is one to that database. One without the tables fails.
    pub(crate) async fn is_home(&self, home: &Home, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let query = sqlx::query_scalar(self.sql(IS_HOME)).bind(home.installation).bind(&home.database);
        query.fetch_one(connection).await
    }
}
