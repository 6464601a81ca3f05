//! Those who submit, through all the faults: alone, in transactions of their own, and in some that they roll back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jobs::{Jobs, RunHandle};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

use super::program::{self, JOBS, config, flaky, note};
use super::support::folder::Folder;

/// What has become of the submissions, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Submitted {
    pub(crate) accepted: Vec<u64>,
    pub(crate) rolled_back: Vec<u64>,
    /// The commit was not answered.
    pub(crate) unknown: Vec<u64>,
}

pub(crate) struct Submitting {
    jobs: Jobs,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    callers: JoinSet<Submitted>,
}

impl Submitting {
    /// `through` is the same database by way of the proxy, which the transactions do not take.
    pub(crate) async fn start(address: &str, through: &str, folder: &Folder, callers: u64) -> Self {
        // It executes nothing.
        let config = || {
            let config = config(through, folder.path());
            JOBS.into_iter().fold(config, |config, name| config.job(name, |job| job.enabled(false)))
        };
        // The proxy may cut it off, which is an error at the start.
        let jobs = loop {
            if let Ok(jobs) = jobs::start(config()).await {
                break jobs;
            }
        };
        let pool = PgPoolOptions::new().max_connections(4).connect(address).await.unwrap();
        let (stop, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            tasks.spawn(submit(jobs.clone(), pool.clone(), Arc::clone(&stop), Arc::clone(&count)));
        }
        Self { jobs, stop, count, callers: tasks }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) async fn end(self) -> Submitted {
        self.stop.store(true, Ordering::Relaxed);
        let all = tokio::time::timeout(Duration::from_secs(240), self.callers.join_all());
        let mut submitted = Submitted::default();
        for one in all.await.expect("what waits for the server is answered") {
            submitted.accepted.extend(one.accepted);
            submitted.rolled_back.extend(one.rolled_back);
            submitted.unknown.extend(one.unknown);
        }
        self.jobs.shutdown().await;
        submitted
    }
}

async fn submit(jobs: Jobs, pool: PgPool, stop: Arc<AtomicBool>, count: Arc<AtomicU64>) -> Submitted {
    let mut submitted = Submitted::default();
    while !stop.load(Ordering::Relaxed) {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let became = match number % 20 {
            0 | 1 | 10 | 11 => in_transaction(&jobs, &pool, number, number.is_multiple_of(10)).await,
            // Counted by clocks that are wrong.
            2 | 12 => {
                jobs.after(program::DELAY, note { number }).await.unwrap();
                Became::Accepted
            }
            7 => {
                jobs.now(flaky { number }).await.unwrap();
                Became::Accepted
            }
            _ => {
                jobs.now(note { number }).await.unwrap();
                Became::Accepted
            }
        };
        match became {
            Became::Accepted => submitted.accepted.push(number),
            Became::RolledBack => submitted.rolled_back.push(number),
            Became::Unknown => submitted.unknown.push(number),
        }
        // Not faster than they can be executed.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    submitted
}

enum Became {
    Accepted,
    RolledBack,
    Unknown,
}

async fn in_transaction(jobs: &Jobs, pool: &PgPool, number: u64, commits: bool) -> Became {
    // What fails before the commit is rolled back with its connection.
    let Ok(mut tx) = pool.begin().await else { return Became::RolledBack };
    let Ok(run) = jobs.now(note { number }).in_tx(&mut tx).await else { return Became::RolledBack };
    if !commits {
        let _ = tx.rollback().await;
        return Became::RolledBack;
    }
    match tx.commit().await {
        Ok(()) => {
            RunHandle::wake(&run);
            Became::Accepted
        }
        Err(_) => Became::Unknown,
    }
}
