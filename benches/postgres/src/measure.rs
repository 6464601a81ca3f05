//! One measurement of one library, in the process of its own that it has.

use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::peers::Peer;
use crate::probe;

/// So many callers submit at once.
const CALLERS: usize = 50;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Drain,
    Submit,
    Latency,
}

/// What is in the database before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// A million runs that have ended, in our tables.
    Finished,
    /// A transaction stays open.
    OldTransaction,
}

impl Before {
    /// The connection is to be kept for as long as it is measured.
    pub(crate) async fn prepare(self, address: &str) -> PgConnection {
        const FINISHED: &str = "\
            insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
            select gen_random_uuid(), 'sweep', 'default', 0, 'succeeded', now(), 0, 'submission', '{}', now()
            from generate_series(1, 1000000)";
        let mut db = PgConnection::connect(address).await.expect("the server is there");
        let statements: &[&'static str] = match self {
            Self::Nothing => &[],
            Self::Finished => &[FINISHED, "vacuum analyze jobs.run", "checkpoint"],
            Self::OldTransaction => {
                &["begin isolation level repeatable read", "select count(*) from pg_class"]
            }
        };
        for statement in statements {
            sqlx::raw_sql(*statement).execute(&mut db).await.expect("it is good SQL");
        }
        db
    }
}

/// Jobs a second, from the start of the first until the end of all is committed.
pub(crate) async fn drain<P: Peer>(peer: &P, address: &str, jobs: usize) -> Vec<f64> {
    peer.fill(jobs).await;
    probe::reset();
    peer.work().await;
    probe::until(jobs).await;
    let mut db = PgConnection::connect(address).await.expect("the server is there");
    while sqlx::query_scalar::<_, i64>(P::UNFINISHED).fetch_one(&mut db).await.expect("its tables") > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = probe::since_first();
    assert_eq!(probe::ran(), jobs, "each once");
    vec![jobs as f64 / took.as_secs_f64()]
}

/// Submissions a second, each told after its commit.
pub(crate) async fn submit<P: Peer>(peer: &P, jobs: usize) -> Vec<f64> {
    let start = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let peer = peer.clone();
        all.spawn(async move {
            for _ in (caller..jobs).step_by(CALLERS) {
                peer.submit(0).await;
            }
        });
    }
    all.join_all().await;
    vec![jobs as f64 / start.elapsed().as_secs_f64()]
}

/// The median and the 99th percentile of the milliseconds between a submission and its start, on an idle program.
pub(crate) async fn latency<P: Peer>(peer: &P, jobs: usize) -> Vec<f64> {
    const BETWEEN: Duration = Duration::from_millis(20);
    const WARM: usize = 20;
    peer.work().await;
    for number in 0..WARM + jobs {
        if number == WARM {
            probe::until(WARM).await;
            probe::reset();
        }
        peer.submit(probe::now()).await;
        tokio::time::sleep(BETWEEN).await;
    }
    probe::until(jobs).await;
    let delays = probe::delays();
    [50, 99].map(|percent| delays[delays.len() * percent / 100].as_secs_f64() * 1e3).to_vec()
}
