//! Runs that are completed in a transaction of their job's.

use super::Durable;
use crate::job::JobContext;
use crate::pool;
use crate::runtime::Jobs;
use crate::runtime::complete::Completed;
use crate::store::sqlite::{Ticket, What, Written, begin_on, has_ended_there, write_outside};

impl Durable {
    /// Writes that a run has succeeded which executes here, for when the transaction commits.
    pub(in crate::runtime) async fn complete_in(
        &self,
        jobs: &Jobs,
        cx: &JobContext,
        connection: &mut sqlx::SqliteConnection,
    ) -> Result<Completed, String> {
        let refused = |error: sqlx::Error| error.to_string();
        if !begin_on(connection, self.path()).await.map_err(refused)? {
            return Err(self.other_file());
        }
        if has_ended_there(connection, cx.id).await.map_err(refused)? {
            return Ok(Completed::Lost);
        }
        let (ticket, record) = match jobs.inner.pool.complete(cx) {
            pool::Completed::Begun(ticket, record) => (ticket, *record),
            pool::Completed::Lost => return Ok(Completed::Lost),
            pool::Completed::Elsewhere => return Ok(Completed::Elsewhere),
        };
        let key_of = |schedule| {
            let scheduler = &jobs.inner.scheduler;
            scheduler.read(|timers| timers.get(schedule).map(|planned| planned.key()))
        };
        let schedule = record.schedule.and_then(key_of);
        let _sent = Sent { durable: self, cx, ticket };
        write_outside(connection, record, schedule).await.map_err(refused)?;
        Ok(Completed::Done)
    }
}

/// A statement that was sent: whatever its answer, the file tells in the end.
struct Sent<'a> {
    durable: &'a Durable,
    cx: &'a JobContext,
    ticket: Ticket,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let written = Written { run: self.cx.id, ticket: self.ticket, what: What::End };
        self.durable.arriving.outside.add(written, &self.durable.commits);
    }
}
