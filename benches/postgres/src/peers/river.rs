//! riverqueue: fetches as often as it may, each time as many as it executes.

use std::time::Duration;

use riverqueue::migrate::PostgresMigrator;
use riverqueue::{
    BoxError, Client, FETCH_COOLDOWN_MIN, Job, JobArgs, QueueConfig, WorkContext, WorkOutcome, Workers,
};
use serde::{Deserialize, Serialize};

use super::{AT_A_TIME, Peer, pool, portions};
use crate::probe;

#[derive(Clone, Debug, Deserialize, JobArgs, Serialize)]
#[river(kind = "probed")]
struct Probed {
    sent: u64,
}

async fn probed(_: WorkContext, job: Job<Probed>) -> Result<WorkOutcome, BoxError> {
    probe::run(job.args.sent);
    Ok(WorkOutcome::Complete)
}

#[derive(Debug, Clone)]
pub(crate) struct River(Client);

impl Peer for River {
    const UNFINISHED: &str = "select count(*) from river_job where state <> 'completed'";

    async fn connect(address: &str) -> Self {
        let pool = pool(address).await;
        PostgresMigrator::new(pool.clone()).migrate_up().await.expect("an empty database");
        let mut workers = Workers::new();
        workers.add_fn(probed).expect("the only one");
        let queue = QueueConfig::new(AT_A_TIME)
            .with_fetch_cooldown(FETCH_COOLDOWN_MIN)
            .with_fetch_poll_interval(Duration::from_millis(10));
        let client = Client::builder(pool).workers(workers).fetch_cooldown(FETCH_COOLDOWN_MIN);
        Self(client.queue("default", queue).build().expect("a good config"))
    }

    async fn submit(&self, sent: u64) {
        self.0.insert(Probed { sent }).await.expect("nothing is in the way");
    }

    async fn fill(&self, count: usize) {
        for portion in portions(count) {
            let jobs = (0..portion).map(|_| Probed { sent: 0 });
            self.0.insert_many(jobs).await.expect("nothing is in the way");
        }
    }

    async fn work(&self) {
        self.0.start().expect("it is not started yet").detach();
    }
}
