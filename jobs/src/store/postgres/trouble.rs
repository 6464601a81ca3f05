//! What goes wrong with a server, and whether it passes.

use std::time::Duration;

use super::reach;

/// How long a statement may take. A server that does not answer for this long is as good as gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server did not do what it was asked.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// A transaction of somebody else's holds what is wanted.
    Held,
    /// It cannot be reached, does not answer, or does not write: it is worth another try. Whether it has done what it was asked
    /// is not known.
    Passing(String),
    /// It would fail again: a right that is missing, a table that is not ours, a mistake of our own.
    Lasting(String),
    /// The node has left the cluster, and did not ask.
    Closed,
}

impl Trouble {
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Held => "a transaction that is not over holds what is wanted",
            Self::Passing(message) | Self::Lasting(message) => message,
            Self::Closed => "the store is closed",
        }
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        if is_held(&error) {
            return Self::Held;
        }
        // The driver's messages tell of hosts, roles and tables, and of no password.
        let message = match error {
            sqlx::Error::PoolTimedOut => {
                format!("there is no connection to the server within {} s", reach::PATIENCE.as_secs())
            }
            _ => error.to_string(),
        };
        if passes(&error) { Self::Passing(message) } else { Self::Lasting(message) }
    }
}

/// Whether what is wanted was locked for longer than was to be waited: lock_not_available.
pub(super) fn is_held(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}

fn passes(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let Some(code) = error.code() else { return false };
            // By class: connections, authorization (a password that is being changed), rollbacks, insufficient resources, operator
            // intervention, system errors.
            let classes = ["08", "28", "40", "53", "57", "58"];
            // read_only_sql_transaction (after a failover), idle_in_transaction_session_timeout; and where a pooler has mixed
            // up sessions, invalid_sql_statement_name and duplicate_prepared_statement.
            let codes = ["25006", "25P03", "26000", "42P05"];
            codes.contains(&code.as_ref()) || classes.iter().any(|class| code.starts_with(class))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Asks the server something, and waits no longer than is sensible for the answer.
pub(super) async fn ask<T>(question: impl Future<Output = sqlx::Result<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Passing(format!("the server has not answered for {} s", PATIENCE.as_secs()))),
    }
}

/// How long to wait between tries: longer from one to the next, and not in step with other nodes.
#[derive(Debug)]
pub(super) struct Pause {
    next: Duration,
    jitter: u64,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);

    /// `seed` tells this node from the others.
    pub(super) fn new(seed: u128) -> Self {
        Self { next: Self::FIRST, jitter: seed as u64 | 1 }
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    pub(super) fn next(&mut self) -> Duration {
        // Xorshift: good enough to part nodes.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let wait = self.next.mul_f64(0.5 + (self.jitter % 1000) as f64 / 1000.0);
        self.next = (self.next * 2).min(Self::LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_seconds_and_start_again() {
        let mut pause = Pause::new(7);
        let waits: Vec<_> = (0..10).map(|_| pause.next()).collect();
        assert!(waits[0] < Duration::from_millis(76), "{waits:?}");
        assert!(waits[9] >= Duration::from_secs(1) && waits[9] <= Duration::from_secs(3), "{waits:?}");
        pause.reset();
        assert!(pause.next() < Duration::from_millis(76));
    }
}
