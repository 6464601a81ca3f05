//! Runs that are completed in a transaction of their job's.

use super::Cluster;
use crate::job::JobContext;
use crate::runtime::Jobs;
use crate::runtime::complete::Completed;
use crate::store::postgres::{End, Follows};

impl Cluster {
    /// Ends a run well that executes here, when the transaction commits. What its attempt comes to is sent all the same, and
    /// counts where the transaction was rolled back.
    pub(in crate::runtime) async fn complete_in(
        &self,
        jobs: &Jobs,
        cx: &JobContext,
        connection: &mut sqlx::PgConnection,
    ) -> sqlx::Result<Completed> {
        let pool = &jobs.inner.pool;
        let Some(node) = self.node() else { return Ok(Completed::Lost) };
        let _hold = node.hold();
        if !node.is_home(connection).await? {
            return Ok(Completed::Elsewhere);
        }
        let Some(fence) = self.recorder.host.fence_of(cx.id) else {
            let here = |key| pool.read(|memory| memory.is_claimed(key));
            return Ok(if pool.key_of(cx.id).is_some_and(here) {
                Completed::Lost
            } else {
                Completed::Elsewhere
            });
        };
        node.completes(fence);
        // A task that an attempt has left behind could have the claim of the next.
        if cx.is_over() {
            return Ok(Completed::Lost);
        }
        let end = End {
            fence,
            slot_of: None,
            follows: Follows::End("succeeded"),
            started: cx.started.to_chrono(),
            // The clock may have been set back meanwhile.
            finished: jobs.inner.clock.now().wall.to_chrono().max(cx.started.to_chrono()),
            outcome: "succeeded",
            message: None,
            record: None,
        };
        let ended = node.db().end_on(connection, node.id(), &[end]).await?;
        Ok(if ended == 0 { Completed::Lost } else { Completed::Done })
    }
}
