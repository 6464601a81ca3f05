//! What is known of a run, at one moment.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::attempt::Attempt;
use super::notes::{LogLine, Progress};
use super::run::{Outcome, RunId};

/// What is known of a run, at one moment: from [`Jobs::runs`](crate::Jobs::runs), [`Jobs::run`](crate::Jobs::run) and
/// [`RunHandle::snapshot`](crate::RunHandle::snapshot).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunSnapshot {
    /// Its identity.
    pub id: RunId,
    /// The name of its job.
    pub job: String,
    /// Where it stands.
    pub state: RunState,
    /// What made it.
    pub made_by: MadeBy,
    /// Who asked for it on the status page: `ada (10.0.0.7)`, or the address alone where no password is asked for.
    pub requested_by: Option<String>,
    /// When it was made.
    pub submitted_at: DateTime<Utc>,
    /// When it is to start, of one that is [scheduled](RunState::Scheduled).
    pub due_at: Option<DateTime<Utc>>,
    /// When its last attempt started; none before the first.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The queue that it is in.
    pub queue: String,
    /// Its priority, higher first.
    pub priority: i8,
    /// How many attempts have begun, but for those that a shutdown has cut off.
    pub attempt: u32,
    /// How many attempts may follow the first.
    pub retries: u32,
    /// What it came to, when it has ended.
    pub outcome: Option<Outcome>,
    /// Its arguments as JSON, those with `#[redact]` shown as `"[redacted]"`; of more than 16 KiB a part with a remark.
    ///
    /// None for a closure, and where they are not kept: in memory and in a file of SQLite those of a run that succeeded more than
    /// 100 runs of its job ago. On PostgreSQL none for a job that this process does not know, and else all until the run is
    /// forgotten. The rows of both databases have the arguments of every run for as long as they have the run, **those with
    /// `#[redact]` as they are**; so have backups.
    pub arguments: Option<String>,
    /// What it gave, as JSON: see [`RunHandle::output`](crate::RunHandle::output).
    pub output: Option<String>,
    /// How far it is, as it said last.
    pub progress: Option<Progress>,
    /// Its attempts that are over, the oldest first.
    pub attempts: Vec<Attempt>,
    /// The lines that it has written by [`log`](crate::log()), the oldest first.
    pub log: Vec<LogLine>,
    /// The process that executes it, where there are several: `web-7:4711`.
    pub node: Option<String>,
}

impl RunSnapshot {
    /// How long its last attempt took, or takes until `now`; none before the first.
    #[must_use]
    pub fn duration(&self, now: DateTime<Utc>) -> Option<Duration> {
        let end = self.finished_at.unwrap_or(now);
        self.started_at.map(|start| (end - start).to_std().unwrap_or_default())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RunState {
    /// It waits for its time: it was delayed, or is to be tried again.
    Scheduled,
    /// It waits for its predecessor: the run of an earlier slot.
    Waiting,
    /// It could start, and waits for room.
    Available,
    /// It executes.
    Running,
    /// It has succeeded.
    Succeeded,
    /// Its last attempt has failed.
    Dead,
    /// It was cancelled or discarded, or cut off or lost at a shutdown.
    Cancelled,
}

impl RunState {
    /// All of them, in the order of a run's life.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Waiting,
        Self::Available,
        Self::Running,
        Self::Succeeded,
        Self::Dead,
        Self::Cancelled,
    ];

    /// Its name: `scheduled`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::Available => "available",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a run in this state has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }

    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            failure if failure.is_failure() => Self::Dead,
            _ => Self::Cancelled,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What made a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MadeBy {
    /// A slot of a schedule.
    #[non_exhaustive]
    Slot {
        /// Its nominal time.
        at: DateTime<Utc>,
        /// The key of its schedule; none when that has been taken out.
        schedule: Option<String>,
    },
    /// A submission.
    Submission,
    /// [`Jobs::run_now`](crate::Jobs::run_now).
    RunNow,
    /// The start of the program.
    Startup,
    /// [`Jobs::retry`](crate::Jobs::retry), of this run.
    #[non_exhaustive]
    Retry {
        /// The run that was to be made again.
        of: RunId,
    },
}

/// `the slot of 2026-03-02 12:00:00 UTC of @hourly`, `a submission`.
impl fmt::Display for MadeBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot { at, schedule: Some(key) } => write!(f, "the slot of {at} of {key}"),
            Self::Slot { at, schedule: None } => write!(f, "the slot of {at}"),
            Self::Submission => f.write_str("a submission"),
            Self::RunNow => f.write_str("run now"),
            Self::Startup => f.write_str("the start"),
            Self::Retry { of } => write!(f, "a retry of {of}"),
        }
    }
}
