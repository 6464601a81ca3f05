//! The libraries that are measured, with a hundred jobs at a time: each as its documentation tells for speed, and where
//! something else is measured, as [`Tuned`] tells.

mod apalis;
mod graphile;
mod limit;
mod ours;
mod river;

use std::fmt::Debug;
use std::time::Duration;

pub(crate) use apalis::Apalis;
pub(crate) use graphile::Graphile;
pub(crate) use limit::Limit;
pub(crate) use ours::Ours;
pub(crate) use river::River;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// So many jobs are executed at a time.
const AT_A_TIME: usize = 100;

/// How the worker of a library is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tuned {
    /// As its documentation tells for speed.
    ForSpeed,
    /// As it comes.
    Not,
    /// For speed, and to take over what a lost process leaves, as its documentation tells.
    ForRecovery,
    /// The same, as quick as ours, wherever an option allows that: a process is looked after every [`BEAT`], and is lost after
    /// [`LOST`].
    ForQuickRecovery,
}

/// How often one of our processes says that it is there.
const BEAT: Duration = Duration::from_secs(5);

/// One of our processes is lost after so long without a word. Neither can be set.
const LOST: Duration = Duration::from_secs(15);

/// A library with its tables in an empty database, in a process of its own, which ends without a shutdown.
pub(crate) trait Peer: Clone + Debug + Send + Sync + 'static {
    /// Counts the jobs that have not ended.
    const UNFINISHED: &str;

    /// Makes the rows of a million jobs that have ended, and vacuums their table; empty where none are kept.
    const FINISHED: &[&str];

    /// Makes the tables where there are none; nothing executes yet.
    fn connect(address: &str, tuned: Tuned) -> impl Future<Output = Self> + Send;

    /// One submission, told after its commit. `sent` is for [`probe::run`](crate::probe::run).
    fn submit(&self, sent: u64) -> impl Future<Output = ()> + Send;

    /// A backlog, in the fastest way there is.
    fn fill(&self, count: usize) -> impl Future<Output = ()> + Send;

    /// Begins to execute.
    fn work(&self) -> impl Future<Output = ()> + Send;

    /// Makes so many more jobs known, none of which is due. Only of ours it is measured.
    fn know(&self, jobs: usize) -> impl Future<Output = ()> + Send {
        async move { assert_eq!(jobs, 0, "only ours") }
    }
}

/// What the peers use that take a pool: enough connections that no caller waits for one.
async fn pool(address: &str) -> PgPool {
    PgPoolOptions::new().max_connections(60).connect(address).await.expect("the server was just started")
}

/// A backlog is submitted in portions.
fn portions(count: usize) -> impl Iterator<Item = usize> {
    const PORTION: usize = 1000;
    (0..count).step_by(PORTION).map(move |from| PORTION.min(count - from))
}
