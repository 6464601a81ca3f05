//! Where in a database the tables are: the schema, by which several applications share it.

use std::fmt;
use std::sync::Arc;

use sqlx::AssertSqlSafe;

/// The name of the schema where nothing is said.
const DEFAULT: &str = "jobs";

/// How long a name may be. The server takes none that is longer than 63, and that of the channel begins with `jobs_`.
const LONGEST: usize = 63 - "jobs_".len();

/// The name of a schema, which may stand in SQL as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema(Arc<str>);

impl Default for Schema {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

impl Schema {
    /// Takes names that need no quotes, so that no text of a user's ever becomes SQL.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        // The server keeps names that begin with `pg_` for itself.
        let good =
            starts_well && name.len() <= LONGEST && name.chars().all(plain) && !name.starts_with("pg_");
        good.then(|| Self(name.into()))
    }

    /// SQL of ours, in which the tables are written `jobs.run`, for this schema.
    ///
    /// It is safe because `sql` is a constant and the name is one that [`parse`](Self::parse) took.
    pub(super) fn sql(&self, sql: &'static str) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.text(sql))
    }

    pub(super) fn text(&self, sql: &'static str) -> String {
        sql.replace("jobs.", &format!("\"{}\".", self.0))
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_need_quotes_are_not_taken() {
        for good in ["jobs", "_a", "billing_2", &"a".repeat(58)] {
            assert!(Schema::parse(good).is_some(), "{good}");
        }
        for bad in
            ["", "2a", "Jobs", "a-b", "a b", "a\"; drop schema public; --", "pg_jobs", "ø", &"a".repeat(59)]
        {
            assert!(Schema::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn tables_are_those_of_the_schema() {
        let schema = Schema::parse("billing").unwrap();
        assert_eq!(schema.text("select 1 from jobs.run"), "select 1 from \"billing\".run");
    }
}
