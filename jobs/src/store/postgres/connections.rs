//! The connections to the server.

use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use super::reach::PATIENCE;

/// How long a connection that is given back may take to be done with what it was asked.
const SETTLES: Duration = Duration::from_secs(1);

/// So many connections, which are made when they are needed.
///
/// One whose question was given up before the answer came would be taken until it comes, which may be never: it is closed, and
/// its place is free for another.
pub(super) fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .after_release(|connection, _| {
            Box::pin(async move {
                match tokio::time::timeout(SETTLES, connection.flush()).await {
                    Ok(settled) => settled.map(|()| true),
                    Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                }
            })
        })
        .connect_lazy_with(options)
}
