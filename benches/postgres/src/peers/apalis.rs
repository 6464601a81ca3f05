//! apalis-postgres: with notifications, and batches as large as what it executes.

use std::fmt::{Debug, Formatter};
use std::time::Duration;

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{AT_A_TIME, BEAT, LOST, Peer, Tuned, pool, portions};
use crate::probe;

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Probed {
    sent: u64,
}

async fn probed(job: Probed) -> Result<(), BoxDynError> {
    probe::run(job.sent).await;
    Ok(())
}

#[derive(Clone)]
pub(crate) struct Apalis {
    pool: PgPool,
    tuned: Tuned,
}

impl Apalis {
    fn storage(&self) -> PostgresStorage<Probed> {
        let mut config = Config::default().queue("probed");
        if self.tuned != Tuned::Not {
            config = config.batch_size(AT_A_TIME);
        }
        // A worker is lost after so many heartbeats that are missed.
        config = match self.tuned {
            Tuned::ForSpeed | Tuned::Not => config,
            // What its documentation calls the default; the code of 1.0 has 10 for the 2.
            Tuned::ForRecovery => config.heartbeat_interval(Duration::from_secs(30)).missed_heartbeats(2),
            Tuned::ForQuickRecovery => {
                let missed = LOST.as_secs() / BEAT.as_secs();
                config.heartbeat_interval(BEAT).missed_heartbeats(missed as usize)
            }
        };
        PostgresStorage::new(&self.pool).with_config(config)
    }
}

impl Debug for Apalis {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apalis").finish_non_exhaustive()
    }
}

impl Peer for Apalis {
    // By its indexes, of what waits and by worker: a job that has ended is not to be read.
    const UNFINISHED: &str = "select (select count(*) from apalis.jobs where status = 'Pending')
        + (select count(*) from apalis.jobs where lock_by like 'bench%' and status <> 'Done')";
    const FINISHED: &[&str] = &[
        "insert into apalis.workers (id, worker_type, storage_name, layers, last_seen)
        values ('earlier', 'probed', 'PgStorage', '', now())",
        "insert into apalis.jobs
            (id, job_type, job, status, attempts, max_attempts, run_at, lock_at, lock_by, done_at, priority, last_result)
        select apalis.generate_ulid(), 'probed', '{\"sent\":0}', 'Done', 1, 25, now(), now(), 'earlier', now(), 0,
            '{\"Ok\": null}'
        from generate_series(1, 1000000)",
        "vacuum analyze apalis.jobs",
    ];

    async fn connect(address: &str, tuned: Tuned) -> Self {
        let pool = pool(address).await;
        PostgresStorage::setup(&pool).await.expect("an empty database");
        Self { pool, tuned }
    }

    async fn submit(&self, sent: u64) {
        self.storage().push(Probed { sent }).await.expect("nothing is in the way");
    }

    async fn fill(&self, count: usize) {
        let mut storage = self.storage();
        for portion in portions(count) {
            storage.push_bulk(vec![Probed { sent: 0 }; portion]).await.expect("nothing is in the way");
        }
    }

    async fn work(&self) {
        let worker = WorkerBuilder::new(format!("bench-{}", std::process::id()))
            .backend(self.storage().with_pubsub())
            .concurrency(AT_A_TIME)
            .parallelize(tokio::spawn)
            .build(probed);
        // What it runs on is not `Send` for all that the compiler can tell; its jobs are spawned on the runtime.
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || runtime.block_on(worker.run()).expect("it works until the process ends"));
    }
}
