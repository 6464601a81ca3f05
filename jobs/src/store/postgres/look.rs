//! What a node that has nothing to do asks, in one statement.

use std::time::Duration;

use sqlx::Row;

use super::db::Db;
use super::id::Id;

/// Delayed runs whose time has come are made available on the way.
const LOOK: &str = "\
with due as (
    select id from jobs.run where state = 'scheduled' and due <= now()
    order by due limit 1000 for update skip locked
), promoted as (
    update jobs.run r set state = 'available' from due where r.id = due.id returning r.id
)
select
    exists (select from promoted) or exists (select from jobs.run where state = 'available'),
    (select extract(epoch from min(due) - now())::float8 from jobs.run where state = 'scheduled' and due > now()),
    array(select id from jobs.run where node = $1 and state = 'running' and cancel)";

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether there is a run that somebody may claim.
    pub(crate) available: bool,
    /// How long it is to the next delayed run.
    pub(crate) next: Option<Duration>,
    /// Runs of this node that somebody wants ended.
    pub(crate) cancelled: Vec<Id>,
}

impl Db {
    /// Makes delayed runs available whose time has come, and tells what there is.
    pub(crate) async fn look(&self, node: Id) -> sqlx::Result<Look> {
        let row = sqlx::query(self.sql(LOOK)).bind(node).fetch_one(&self.pool).await?;
        let next: Option<f64> = row.try_get(1)?;
        let next = next.map(|next| Duration::try_from_secs_f64(next.max(0.0)).unwrap_or(Duration::MAX));
        Ok(Look { available: row.try_get(0)?, next, cancelled: row.try_get(2)? })
    }
}
