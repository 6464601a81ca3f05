//! The libraries that are measured, each as its documentation tells for speed, with a hundred jobs at a time.

mod apalis;
mod graphile;
mod ours;
mod river;

use std::fmt::Debug;

pub(crate) use apalis::Apalis;
pub(crate) use graphile::Graphile;
pub(crate) use ours::Ours;
pub(crate) use river::River;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// So many jobs are executed at a time.
const AT_A_TIME: usize = 100;

/// A library with its tables in an empty database, in a process of its own, which ends without a shutdown.
pub(crate) trait Peer: Clone + Debug + Send + Sync + 'static {
    /// Counts the jobs that have not ended.
    const UNFINISHED: &str;

    /// Makes the tables; nothing executes yet.
    fn connect(address: &str) -> impl Future<Output = Self> + Send;

    /// One submission, told after its commit. `sent` is for [`probe::run`](crate::probe::run).
    fn submit(&self, sent: u64) -> impl Future<Output = ()> + Send;

    /// A backlog, in the fastest way there is.
    fn fill(&self, count: usize) -> impl Future<Output = ()> + Send;

    /// Begins to execute.
    fn work(&self) -> impl Future<Output = ()> + Send;
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
