//! Whether an instance does its work, and since when it does not.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs_syntax::format_duration;

use super::{Jobs, Phase};
use crate::job::run::RunId;
use crate::store::memory::Backlog;

/// How late the scheduler may look at its plan before it is behind. A loaded machine is late by milliseconds.
const BEHIND: Duration = Duration::from_secs(5);

/// How long a run may wait for room in the pool.
const LONG_WAIT: Duration = Duration::from_secs(60);

/// Whether an instance does its work, at one moment: made by [`Jobs::health`]. `Display` writes `ok`, or one line for
/// each condition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// When it was asked for.
    pub checked_at: DateTime<Utc>,
    /// What is wrong, in no order of importance; empty when nothing is.
    pub conditions: Vec<Condition>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Condition {
    /// Since when.
    pub since: DateTime<Utc>,
    /// What.
    pub what: Trouble,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The scheduler should have looked at its plan, more than 5 seconds ago, and has not: slots fire late. Its task was
    /// not polled, since something blocks the threads of the runtime, or it has died and waits for its restart.
    SchedulerBehind,
    /// A run goes on although it should have ended more than 10 seconds ago: its `timeout` has passed, or it was cancelled.
    /// A plain `fn` does not ask whether it is cancelled, or an async one blocks its thread. It keeps its place in the
    /// pool.
    #[non_exhaustive]
    StuckRun {
        /// The name of its job.
        job: String,
        /// Its identity.
        run: RunId,
    },
    /// Runs could start and find no room, the first of them for more than a minute. What is held back by the `concurrency` or
    /// the `rate` of its job, or by a paused queue, waits as it was told to.
    #[non_exhaustive]
    Backlog {
        /// How many wait.
        waiting: usize,
        /// The queue that is full; none where it is the pool that has no room.
        queue: Option<String>,
    },
    /// A task of `jobs` itself has died in the last 5 minutes, and was started again or replaced by another. It is a fault of `jobs`; the log
    /// has the panic.
    #[non_exhaustive]
    TaskDied {
        /// Which: `scheduler` or `worker`.
        task: &'static str,
        /// How often since the start.
        times: u32,
    },
    /// A durable store cannot be written, or the server of a cluster does not answer or refuses; it is tried again. Until then:
    ///
    /// - On SQLite runs start and go on, and slots fire. A submission fails after some tries
    ///   ([`SubmitError::is_not_written`](crate::SubmitError::is_not_written)).
    /// - On PostgreSQL what this process has claimed goes on. Nothing more is claimed and no slot fires. A submission
    ///   waits, without bound. Where the server refuses one kind of question only, such as to delete, the rest goes on.
    ///
    /// An outage of the server is seen by all processes at once. A readiness probe that asks for health takes all of them out of
    /// service then.
    #[non_exhaustive]
    StoreNotWritten {
        /// What the store says.
        why: String,
    },
    /// The instance is shutting down, or has been shut down.
    ShutDown,
}

impl Health {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.conditions.is_empty()
    }
}

/// `ok`, or a line for each condition: `the scheduler is behind, for 12s`.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ok() {
            return f.write_str("ok");
        }
        for (index, condition) in self.conditions.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            let lasts = (self.checked_at - condition.since).num_seconds();
            let lasts = Duration::from_secs(u64::try_from(lasts).unwrap_or(0));
            write!(f, "{end}{}, for {}", condition.what, format_duration(lasts))?;
        }
        Ok(())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SchedulerBehind => f.write_str("the scheduler is behind"),
            Self::StuckRun { job, run } => write!(f, "run {run} of {job} does not end"),
            Self::Backlog { waiting, queue } => {
                match waiting {
                    1 => f.write_str("one run waits for room in ")?,
                    _ => write!(f, "{waiting} runs wait for room in ")?,
                }
                match queue {
                    Some(queue) => write!(f, "the queue {queue}"),
                    None => f.write_str("the pool"),
                }
            }
            Self::TaskDied { task, times: 1 } => write!(f, "the task {task} died and was replaced"),
            Self::TaskDied { task, times } => {
                write!(f, "the task {task} died {times} times and was replaced")
            }
            Self::StoreNotWritten { why } => write!(f, "the store cannot be written ({why})"),
            Self::ShutDown => f.write_str("shut down"),
        }
    }
}

impl Jobs {
    /// Whether the instance does its work, and if not, what is wrong and since when: for a readiness probe.
    ///
    /// It is cheap enough to be asked every second: it looks at the pool's workers and at one end of the queue, not at runs or
    /// schedules.
    ///
    /// ```
    /// # async fn example(jobs: jobs::Jobs) -> (u16, String) {
    /// let health = jobs.health();
    /// let status = if health.is_ok() { 200 } else { 503 };
    /// (status, health.to_string())
    /// # }
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        let inner = &self.inner;
        let now = inner.clock.now();
        let mut conditions = Vec::new();
        let mut add = |since: crate::clock::Timestamp, what| {
            conditions.push(Condition { since: since.to_chrono(), what });
        };
        let ends = matches!(*inner.phase.borrow(), Phase::ShuttingDown | Phase::Ended(_));
        if ends {
            add(inner.shut_down_at.get().copied().unwrap_or(now.wall), Trouble::ShutDown);
        } else {
            let late = inner.scheduler.read(|timers| timers.late(now));
            if late > BEHIND {
                add(now.wall.saturating_sub(late), Trouble::SchedulerBehind);
            }
        }
        for stuck in inner.pool.stuck(now.wall) {
            add(stuck.since, Trouble::StuckRun { job: stuck.job.to_string(), run: stuck.run });
        }
        let backlogs = if ends { Vec::new() } else { inner.pool.backlogs() };
        for Backlog { since, waiting, queue } in backlogs {
            if now.wall.since(since) > LONG_WAIT {
                add(since, Trouble::Backlog { waiting, queue: queue.map(|queue| queue.to_string()) });
            }
        }
        for deaths in inner.tasks.died_lately() {
            add(deaths.since, Trouble::TaskDied { task: deaths.task, times: deaths.times });
        }
        #[cfg(feature = "sqlite")]
        if let Some(failing) = inner.durable.as_ref().and_then(|durable| durable.failing()) {
            add(failing.since, Trouble::StoreNotWritten { why: failing.why.to_string() });
        }
        #[cfg(feature = "postgres")]
        if let Some((since, why)) = inner.cluster.get().and_then(|cluster| cluster.troubled()) {
            add(since, Trouble::StoreNotWritten { why });
        }
        Health { checked_at: now.wall.to_chrono(), conditions }
    }
}
