//! apalis-postgres: with notifications, and batches as large as what it executes.

use std::fmt::{Debug, Formatter};

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{AT_A_TIME, Peer, pool, portions};
use crate::probe;

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Probed {
    sent: u64,
}

async fn probed(job: Probed) -> Result<(), BoxDynError> {
    probe::run(job.sent);
    Ok(())
}

#[derive(Clone)]
pub(crate) struct Apalis(PgPool);

impl Apalis {
    fn storage(&self) -> PostgresStorage<Probed> {
        let config = Config::default().queue("probed").batch_size(AT_A_TIME);
        PostgresStorage::new(&self.0).with_config(config)
    }
}

impl Debug for Apalis {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apalis").finish_non_exhaustive()
    }
}

impl Peer for Apalis {
    const UNFINISHED: &str = "select count(*) from apalis.jobs where status <> 'Done'";

    async fn connect(address: &str) -> Self {
        let pool = pool(address).await;
        PostgresStorage::setup(&pool).await.expect("an empty database");
        Self(pool)
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
        let worker = WorkerBuilder::new("bench")
            .backend(self.storage().with_pubsub())
            .concurrency(AT_A_TIME)
            .parallelize(tokio::spawn)
            .build(probed);
        // What it runs on is not `Send` for all that the compiler can tell; its jobs are spawned on the runtime.
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || runtime.block_on(worker.run()).expect("it works until the process ends"));
    }
}
