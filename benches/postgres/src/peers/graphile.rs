//! graphile_worker: as its own benchmark sets it, with a local queue and completions in batches; what a lost worker leaves
//! is taken over where that is asked for.

use std::fmt::{Debug, Formatter};
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext, WorkerOptions,
    WorkerRecoveryConfig, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{AT_A_TIME, BEAT, LOST, Peer, Tuned, pool, portions};
use crate::probe;

#[derive(Debug, Deserialize, Serialize)]
struct Probed {
    sent: u64,
}

impl TaskHandler for Probed {
    const IDENTIFIER: &'static str = "probed";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        probe::run(self.sent).await;
        Ok::<(), String>(())
    }
}

const SCHEMA: &str = "graphile_worker";

#[derive(Clone)]
pub(crate) struct Graphile {
    pool: PgPool,
    utils: WorkerUtils,
    tuned: Tuned,
}

impl Debug for Graphile {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graphile").finish_non_exhaustive()
    }
}

impl Peer for Graphile {
    // It deletes what has ended.
    const UNFINISHED: &str = "select count(*) from graphile_worker._private_jobs";
    const FINISHED: &[&str] = &[];

    async fn connect(address: &str, tuned: Tuned) -> Self {
        let pool = pool(address).await;
        let utils = WorkerUtils::new(pool.clone(), SCHEMA);
        utils.migrate().await.expect("an empty database");
        Self { pool, utils, tuned }
    }

    async fn submit(&self, sent: u64) {
        self.utils.add_job(Probed { sent }, JobSpec::default()).await.expect("nothing is in the way");
    }

    async fn fill(&self, count: usize) {
        for portion in portions(count) {
            let job = || RawJobSpec {
                identifier: Probed::IDENTIFIER.to_owned(),
                payload: serde_json::json!({ "sent": 0 }),
                spec: JobSpec::default(),
            };
            let jobs: Vec<_> = std::iter::repeat_with(job).take(portion).collect();
            self.utils.add_raw_jobs(&jobs).await.expect("nothing is in the way");
        }
    }

    async fn work(&self) {
        const OFTEN: Duration = Duration::from_millis(5);
        let mut options =
            WorkerOptions::default().pg_pool(self.pool.clone()).schema(SCHEMA).concurrency(AT_A_TIME);
        if self.tuned != Tuned::Not {
            options = options
                .poll_interval(OFTEN)
                .complete_job_batch_delay(OFTEN)
                .local_queue(LocalQueueConfig::default().with_size(5000));
        }
        match self.tuned {
            Tuned::ForSpeed | Tuned::Not => {}
            // The values of its guide, which are those that it takes when it is enabled: a heartbeat every 30 s, a sweep every
            // 60 s, a worker is lost after 5 minutes, and what it leaves waits another 30 s.
            Tuned::ForRecovery => {
                options = options.worker_recovery(WorkerRecoveryConfig::default().enabled(true));
            }
            Tuned::ForQuickRecovery => {
                options = options
                    .heartbeat_interval(BEAT)
                    .sweep_interval(BEAT)
                    .sweep_threshold(LOST)
                    .recovery_delay(Duration::ZERO);
            }
        }
        let worker = options.define_job::<Probed>().init().await.expect("a good config");
        tokio::spawn(async move { worker.run().await.expect("it works until the process ends") });
    }
}
