//! The handle to a run: to wait for it, to look at it, to cancel it.

use std::fmt;

use serde::de::DeserializeOwned;

use super::Jobs;
use crate::job::attempt::{Attempt, AttemptRecord};
use crate::job::notes::{LogLine, Notes, Progress};
use crate::job::output::{Output, OutputError};
use crate::job::run::{Outcome, RunId};
use crate::store::memory::{RunKey, Watch};

/// A run that was submitted.
#[derive(Clone)]
pub struct RunHandle {
    pub(super) id: RunId,
    /// Where it is in this process; none of a run that any process of a cluster may execute.
    pub(super) key: Option<RunKey>,
    pub(super) jobs: Jobs,
    pub(super) duplicate: bool,
}

impl RunHandle {
    /// The identity of the run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Where it is in this process, if it is.
    pub(super) fn here(&self) -> Option<RunKey> {
        self.key.or_else(|| self.jobs.inner.pool.key_of(self.id))
    }

    /// What it has left here, where it has gone back to a store from which any process may claim it.
    fn left(&self) -> (Vec<AttemptRecord>, Notes) {
        #[cfg(feature = "postgres")]
        if let (None, Some(left)) = (self.key, self.jobs.inner.pool.left_by(self.id)) {
            return (left.attempts, left.notes);
        }
        Default::default()
    }

    /// Whether the submission was one with an earlier one, as `unique` says: this is the run of that.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    /// Waits until the run has ended, and says what it came to: after the last attempt, where it is tried again.
    ///
    /// The last runs of each job are kept as `jobs.retention` and `jobs.retention_count` say, 10 000 for a week where they say
    /// nothing, and its very last for longer; asked for
    /// another, the answer is [`Outcome::Unknown`]. A job that waits for another occupies its place in the pool meanwhile: in a pool
    /// of one, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting and nothing else.
    pub async fn wait(&self) -> Outcome {
        #[cfg(feature = "postgres")]
        if let (None, Some(cluster)) = (self.key, self.jobs.inner.cluster.get()) {
            return self.wait_in_cluster(cluster).await;
        }
        #[cfg(feature = "sqlite")]
        if let (None, Some(durable)) = (self.key, &self.jobs.inner.durable) {
            durable.settled(self.id).await;
        }
        let Some(key) = self.here() else { return Outcome::Unknown };
        match self.jobs.inner.pool.watch(key) {
            Watch::Ended(outcome) => outcome,
            Watch::Pending(outcome) => outcome.await.unwrap_or(Outcome::Unknown),
            Watch::Gone => Outcome::Unknown,
        }
    }

    /// The attempts of the run that are over, the oldest first; empty when the run is not kept any more, as
    /// [`wait`](Self::wait) says. Of one that was tried more often than a hundred times, the last hundred.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        let attempts = match self.here() {
            Some(key) => self.jobs.inner.pool.attempts(key),
            None => self.left().0,
        };
        attempts.iter().map(Attempt::from).collect()
    }

    /// Waits until the run has ended, and gives the value that its job returned in `Ok`, as a `T` that reads its JSON: the type
    /// itself, or one with some of its fields.
    ///
    /// Values are kept as JSON of 64 KiB at most, as long as the run: [`wait`](Self::wait) says how long. A function with
    /// `#[job]` returns `Result<T, E>`; where `T` is not `Serialize` its value is not kept. A job by hand
    /// says [`JobContext::output`](crate::JobContext::output). Closures give nothing.
    ///
    /// ```
    /// # use jobs::job;
    /// #[job]
    /// async fn add(a: u32, b: u32) -> Result<u32, std::num::TryFromIntError> {
    ///     Ok(a + b)
    /// }
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let sum: u32 = jobs::now(add { a: 3, b: 4 }).await?.output().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A run that did not succeed, with what it came to; one whose value was not kept, with the reason; a value that is no `T`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting and nothing else.
    pub async fn output<T: DeserializeOwned>(&self) -> Result<T, OutputError> {
        match self.wait().await {
            Outcome::Succeeded => Output::read(self.kept_output().await.as_ref()),
            outcome => Err(OutputError::unsuccessful(outcome)),
        }
    }

    /// How far the run is, as it said last by [`progress`](crate::progress()); none when it has not.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        match self.here() {
            Some(key) => self.jobs.inner.pool.progress(key),
            None => self.left().1.progress,
        }
    }

    /// The lines that the run has written by [`log`](crate::log()), the oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        let notes = match self.here() {
            Some(key) => self.jobs.inner.pool.notes(key),
            None => self.left().1,
        };
        notes.lines().collect()
    }

    /// Cancels the run. One that has not started never will, and one that waits to be tried again is not; a running
    /// async job is dropped where it awaits; a plain `fn` that runs is only asked to return, by
    /// [`JobContext::is_cancelled`](crate::JobContext::is_cancelled): its outcome is its own, and it is not tried again.
    ///
    /// `false` when the run has ended already, and in a cluster where the server does not answer: the log says so.
    pub async fn cancel(&self) -> bool {
        self.jobs.cancel(self.id).await
    }

    /// The value that the run gave, as it is kept.
    async fn kept_output(&self) -> Option<Output> {
        #[cfg(feature = "postgres")]
        if let (None, Some(cluster)) = (self.key, self.jobs.inner.cluster.get()) {
            let output = cluster.output_of(self.id).await;
            return output.or_else(|| self.jobs.inner.pool.output(self.here()?));
        }
        self.jobs.inner.pool.output(self.here()?)
    }
}

impl fmt::Debug for RunHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle").field("id", &self.id).finish_non_exhaustive()
    }
}
