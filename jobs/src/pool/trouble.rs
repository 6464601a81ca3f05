//! What is not as it should be, for those who ask after the health of an instance.

use std::time::Duration;

use super::Pool;
use crate::clock::Timestamp;
use crate::job::name::JobName;
use crate::job::run::RunId;
use crate::store::memory::Backlog;

/// How long an attempt may go on after it should have ended. An async one that awaits ends at once.
const GRACE: Duration = Duration::from_secs(10);

/// A run that goes on although nobody wants it any more.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub(crate) job: JobName,
    pub(crate) run: RunId,
    /// When its time was up, or when it was told to stop.
    pub(crate) since: Timestamp,
}

impl Pool {
    /// The runs that have outlasted their timeout or a cancellation. It looks at every worker.
    pub(crate) fn stuck(&self, now: Timestamp) -> Vec<Stuck> {
        let shared = self.lock();
        let stuck = |(key, told): (_, Option<Timestamp>)| {
            let (job, run, out_of_time) = shared.memory.deadline(key)?;
            let since = [told, out_of_time].into_iter().flatten().min()?;
            (now.since(since) > GRACE).then(|| Stuck { job: job.clone(), run, since })
        };
        shared.workers.executed().filter_map(stuck).collect()
    }

    /// Where runs wait for room.
    pub(crate) fn backlogs(&self) -> Vec<Backlog> {
        self.lock().memory.backlogs()
    }
}
