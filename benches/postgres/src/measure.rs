//! One measurement of one library, in the process of its own that it has.

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::peers::Peer;
use crate::probe;

/// So many callers submit at once.
const CALLERS: usize = 50;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Drain,
    Submit,
    Latency,
    Idle,
    Recovery,
}

/// What is in the database before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// A million jobs that have ended.
    Finished,
    /// A transaction stays open.
    OldTransaction,
}

impl Before {
    /// The connection is to be kept for as long as it is measured.
    pub(crate) async fn prepare<P: Peer>(self, address: &str) -> PgConnection {
        let mut db = PgConnection::connect(address).await.expect("the server is there");
        let statements: &[&'static str] = match self {
            Self::Nothing => &[],
            Self::Finished => P::FINISHED,
            Self::OldTransaction => {
                &["begin isolation level repeatable read", "select count(*) from pg_class"]
            }
        };
        for statement in statements {
            sqlx::raw_sql(*statement).execute(&mut db).await.expect("it is good SQL");
        }
        if self == Self::Finished {
            sqlx::raw_sql("checkpoint").execute(&mut db).await.expect("the role may");
        }
        db
    }
}

/// Jobs a second, from the start of the first until the end of all is committed.
pub(crate) async fn drain<P: Peer>(peer: &P, address: &str, jobs: usize) -> Vec<f64> {
    peer.fill(jobs).await;
    probe::reset();
    peer.work().await;
    assert_eq!(probe::until(jobs).await, 0, "all of them run");
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

/// The median and the 99th percentile of the milliseconds between a submission and its start, on an idle program. What never
/// starts is told, and counts with the time for which it was waited for.
pub(crate) async fn latency<P: Peer>(peer: &P, jobs: usize) -> Vec<f64> {
    const BETWEEN: Duration = Duration::from_millis(20);
    const WARM: usize = 20;
    peer.work().await;
    for number in 0..WARM + jobs {
        if number == WARM {
            assert_eq!(probe::until(WARM).await, 0, "all of them run");
            probe::reset();
        }
        peer.submit(probe::now()).await;
        tokio::time::sleep(BETWEEN).await;
    }
    let never = probe::until(jobs).await;
    if never > 0 {
        eprintln!("  {never} of {jobs} jobs never started");
    }
    let delays = probe::delays();
    let delay =
        |percent| delays.get(jobs * percent / 100).copied().unwrap_or(probe::PATIENCE).as_secs_f64() * 1e3;
    vec![delay(50), delay(99)]
}

/// Transactions a minute of a worker that has nothing to do, as the server counts them.
pub(crate) async fn idle<P: Peer>(peer: &P, address: &str, known: usize) -> Vec<f64> {
    const SETTLING: Duration = Duration::from_secs(15);
    const MEASURED: Duration = Duration::from_secs(30);
    const TRANSACTIONS: &str =
        "select (xact_commit + xact_rollback)::int8 from pg_stat_database where datname = $1";
    peer.know(known).await;
    peer.work().await;
    let watched = PgConnectOptions::from_str(address).expect("it is used by all");
    let name = watched.get_database().expect("it has one").to_owned();
    // From another database, whose transactions are its own.
    let mut db =
        PgConnection::connect_with(&watched.database("postgres")).await.expect("the server is there");
    let mut look = async |after: Duration| {
        // A session that falls silent is counted ten seconds later at the latest.
        tokio::time::sleep(after).await;
        let count: i64 =
            sqlx::query_scalar(TRANSACTIONS).bind(&name).fetch_one(&mut db).await.expect("there is one");
        (Instant::now(), count)
    };
    let (began, before) = look(SETTLING).await;
    let (ended, after) = look(MEASURED).await;
    vec![(after - before) as f64 / (ended - began).as_secs_f64() * 60.0]
}
