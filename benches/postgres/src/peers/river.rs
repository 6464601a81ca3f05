//! riverqueue: fetches as often as it may, each time as many as it executes. Its processes have no heartbeat: a job is taken
//! for stuck when it has been executing for `rescue_after`, which may not be less than what a job may take (`job_timeout`).

use std::time::Duration;

use riverqueue::migrate::PostgresMigrator;
use riverqueue::{
    BoxError, Client, FETCH_COOLDOWN_MIN, Job, JobArgs, MaintenanceConfig, QueueConfig, WorkContext,
    WorkOutcome, Workers,
};
use serde::{Deserialize, Serialize};

use super::{AT_A_TIME, BEAT, LOST, Peer, Tuned, pool, portions};
use crate::probe;

#[derive(Clone, Debug, Deserialize, JobArgs, Serialize)]
#[river(kind = "probed")]
struct Probed {
    sent: u64,
}

async fn probed(_: WorkContext, job: Job<Probed>) -> Result<WorkOutcome, BoxError> {
    probe::run(job.args.sent).await;
    Ok(WorkOutcome::Complete)
}

#[derive(Debug, Clone)]
pub(crate) struct River(Client);

impl Peer for River {
    // By its index: a job that has ended is not to be read.
    const UNFINISHED: &str = "select count(*) from river_job
        where state in ('available', 'pending', 'retryable', 'running', 'scheduled')";
    const FINISHED: &[&str] = &[
        "insert into river_job (state, attempt, max_attempts, attempted_at, finalized_at, args, kind, attempted_by)
        select 'completed', 1, 25, now(), now(), '{\"sent\": 0}', 'probed', array['earlier']
        from generate_series(1, 1000000)",
        "vacuum analyze river_job",
    ];

    async fn connect(address: &str, tuned: Tuned) -> Self {
        let pool = pool(address).await;
        PostgresMigrator::new(pool.clone()).migrate_up().await.expect("an empty database");
        let mut workers = Workers::new();
        workers.add_fn(probed).expect("the only one");
        let mut queue = QueueConfig::new(AT_A_TIME);
        let mut client = Client::builder(pool).workers(workers);
        if tuned != Tuned::Not {
            queue = queue
                .with_fetch_cooldown(FETCH_COOLDOWN_MIN)
                .with_fetch_poll_interval(Duration::from_millis(10));
            client = client.fetch_cooldown(FETCH_COOLDOWN_MIN);
        }
        match tuned {
            // It rescues as it comes: after the minute that a job may take and an hour.
            Tuned::ForSpeed | Tuned::Not | Tuned::ForRecovery => {}
            // At the price that no job may take longer than that.
            Tuned::ForQuickRecovery => {
                let rescue = MaintenanceConfig::default().with_rescue_after(LOST).with_rescuer_interval(BEAT);
                client = client.job_timeout(LOST).maintenance(rescue);
            }
        }
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
