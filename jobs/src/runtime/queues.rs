//! Queues: how full they are, and stopping one.

use std::fmt;
use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};

use super::error::SubmitError;
use super::{Inner, Jobs};
use crate::clock::Timestamp;
use crate::hooks::{Event, QueueChange, QueueEvent};
use crate::store::memory::{Memory, QueueIx};

/// One queue: a named share of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSnapshot {
    /// Its name; `default` is that of jobs that name none.
    pub name: String,
    /// How many of its runs may execute at the same time; none is limited by the pool only.
    pub size: Option<NonZeroUsize>,
    /// How many do.
    pub running: usize,
    /// How many could start and find no room, or are held back by a limit of their job.
    pub queued: usize,
    /// Since when the run is queued that has been for longest.
    pub queued_since: Option<DateTime<Utc>>,
    /// Whether it is paused: what is queued in it does not start.
    pub paused: bool,
}

/// The line for a queue below the table of [`Snapshot`](crate::Snapshot): `mail: 1 of 2 running, 3 queued, paused`.
impl fmt::Display for QueueSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, size, running, queued, paused, .. } = self;
        match size {
            Some(size) => write!(f, "{name}: {running} of {size} running, {queued} queued")?,
            None => write!(f, "{name}: {running} running, {queued} queued")?,
        }
        if *paused { f.write_str(", paused") } else { Ok(()) }
    }
}

/// Every queue, by name.
pub(super) fn queues(memory: &Memory) -> Vec<QueueSnapshot> {
    let mut queues: Vec<_> = memory
        .queues()
        .map(|state| QueueSnapshot {
            name: state.queue.name.to_string(),
            size: state.queue.limit,
            running: state.queue.running,
            queued: state.queue.waiting,
            queued_since: state.oldest.map(Timestamp::to_chrono),
            paused: state.queue.paused,
        })
        .collect();
    queues.sort_by(|one, other| one.name.cmp(&other.name));
    queues
}

impl Jobs {
    /// Pauses a queue: what is queued in it does not start until [`resume_queue`](Self::resume_queue), and what runs goes
    /// on. Other queues go on as well, and it can still be submitted to. Pausing a paused queue changes nothing.
    ///
    /// # Errors
    ///
    /// A name that no queue has, with the nearest one or the list of all; an instance that has been shut down.
    pub async fn pause_queue(&self, queue: &str) -> Result<(), SubmitError> {
        self.set_queue_paused(queue, true).await
    }

    /// Lets the runs of a paused queue start again. Resuming a queue that is not paused changes nothing.
    ///
    /// # Errors
    ///
    /// A name that no queue has, with the nearest one or the list of all; an instance that has been shut down.
    pub async fn resume_queue(&self, queue: &str) -> Result<(), SubmitError> {
        self.set_queue_paused(queue, false).await
    }

    async fn set_queue_paused(&self, name: &str, paused: bool) -> Result<(), SubmitError> {
        let queue = self.queue_named(name);
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get() {
            // Only others may know it.
            if let Err(unknown) = &queue
                && !cluster.has_queue(name.to_owned()).await?
            {
                return Err(unknown.clone());
            }
            cluster.pause_queue(name.to_owned(), paused).await?;
            if queue.is_err() {
                return Ok(());
            }
        }
        let queue = queue?;
        let Inner { pool, hooks, clock, .. } = &*self.inner;
        if pool.pause_queue(queue, paused) != paused {
            let what = if paused { QueueChange::Paused } else { QueueChange::Resumed };
            let at = clock.now().wall.to_chrono();
            hooks.bus.tell(|| Event::Queue(QueueEvent { at, queue: name.to_owned(), what }));
        }
        Ok(())
    }

    /// The queue to steer, while there is something to steer.
    fn queue_named(&self, name: &str) -> Result<QueueIx, SubmitError> {
        if self.is_shut_down() {
            return Err(SubmitError::shut_down());
        }
        self.inner.pool.read(|memory| {
            memory.find_queue(name).ok_or_else(|| {
                let mut known: Vec<&str> = memory.queues().map(|state| &*state.queue.name).collect();
                known.sort_unstable();
                SubmitError::unknown_queue(name, &known)
            })
        })
    }
}
