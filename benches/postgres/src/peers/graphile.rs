//! graphile_worker: as its own benchmark sets it, with a local queue and completions in batches.

use std::fmt::{Debug, Formatter};
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{AT_A_TIME, Peer, pool, portions};
use crate::probe;

#[derive(Debug, Deserialize, Serialize)]
struct Probed {
    sent: u64,
}

impl TaskHandler for Probed {
    const IDENTIFIER: &'static str = "probed";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        probe::run(self.sent);
        Ok::<(), String>(())
    }
}

const SCHEMA: &str = "graphile_worker";

#[derive(Clone)]
pub(crate) struct Graphile {
    pool: PgPool,
    utils: WorkerUtils,
}

impl Debug for Graphile {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graphile").finish_non_exhaustive()
    }
}

impl Peer for Graphile {
    // It deletes what has ended.
    const UNFINISHED: &str = "select count(*) from graphile_worker._private_jobs";

    async fn connect(address: &str) -> Self {
        let pool = pool(address).await;
        let utils = WorkerUtils::new(pool.clone(), SCHEMA);
        utils.migrate().await.expect("an empty database");
        Self { pool, utils }
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
        let often = Duration::from_millis(5);
        let worker = WorkerOptions::default()
            .pg_pool(self.pool.clone())
            .schema(SCHEMA)
            .concurrency(AT_A_TIME)
            .poll_interval(often)
            .complete_job_batch_delay(often)
            .local_queue(LocalQueueConfig::default().with_size(5000))
            .define_job::<Probed>()
            .init()
            .await
            .expect("a good config");
        tokio::spawn(async move { worker.run().await.expect("it works until the process ends") });
    }
}
