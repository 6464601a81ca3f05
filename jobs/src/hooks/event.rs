//! What happens to jobs, one thing at a time.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs_syntax::format_duration;

use crate::job::fate::Fate;
use crate::job::run::{Outcome, RunId};

/// One thing that has happened: from [`Jobs::events`](crate::Jobs::events). `Display` writes it as a line.
///
/// Events come in the order in which things happened: a run is submitted before it starts, and starts before it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A slot of a schedule has come, or has passed without coming.
    Slot(SlotEvent),
    /// Something happened to a run.
    Run(RunEvent),
    /// A job was paused or resumed.
    Job(JobEvent),
    /// A queue was paused or resumed.
    Queue(QueueEvent),
    /// A schedule was added, taken out or given another meaning.
    Schedule(ScheduleEvent),
    /// The clock on the wall moved on its own, by a second or more.
    #[non_exhaustive]
    ClockMoved {
        /// What the clock shows now.
        at: DateTime<Utc>,
        /// How far it moved beyond the time that has passed; negative when it was set back.
        by: TimeDelta,
        /// Whether the machine was suspended. Else somebody has set the clock.
        suspended: bool,
    },
    /// A task of `jobs` itself died. It is a fault of `jobs`; the log has the panic. The scheduler is started again; another
    /// worker takes the place of one, and the run that it has executed is tried again.
    #[non_exhaustive]
    TaskDied {
        /// When.
        at: DateTime<Utc>,
        /// Which: `scheduler` or `worker`.
        task: &'static str,
        /// How long until it is started again; zero where another is there already.
        restart_in: Duration,
    },
    /// The shutdown has come so far.
    #[non_exhaustive]
    Shutdown {
        /// When.
        at: DateTime<Utc>,
        /// How far.
        phase: ShutdownPhase,
    },
    /// This listener was too slow: so many events before the next one are gone.
    Lagged(u64),
}

/// A slot of a schedule has come, or several have passed: what [`Jobs::ledger`](crate::Jobs::ledger) has of them from now
/// on. Where it has made a run, the events of that may come before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of the job.
    pub job: String,
    /// The key of the schedule among those of its job.
    pub schedule: String,
    /// The nominal time of the slot; of several, which were missed, that of the first.
    pub from: DateTime<Utc>,
    /// The nominal time of the last.
    pub to: DateTime<Utc>,
    /// How many there are.
    pub count: u64,
    /// What became of them.
    pub fate: Fate,
}

/// Something happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of the job.
    pub job: String,
    /// The identity of the run.
    pub run: RunId,
    /// The nominal time of the slot that the run is for; none when it was submitted.
    pub slot: Option<DateTime<Utc>>,
    /// How many attempts have begun; the number of the one that the event is about.
    pub attempt: u32,
    /// What happened.
    pub what: RunChange,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunChange {
    /// It was made, by a submission or for a slot.
    #[non_exhaustive]
    Submitted {
        /// When it is due; none when that is at once.
        due: Option<DateTime<Utc>>,
    },
    /// An attempt began.
    #[non_exhaustive]
    Started {
        /// How many attempts it may have.
        of: u32,
    },
    /// The run has succeeded.
    #[non_exhaustive]
    Succeeded {
        /// How long its last attempt took.
        took: Duration,
    },
    /// An attempt failed.
    #[non_exhaustive]
    Failed {
        /// How: an error, a panic, or out of time.
        outcome: Outcome,
        /// How long the attempt took.
        took: Duration,
        /// What follows.
        follows: Follows,
    },
    /// The run has ended in another way: cancelled, interrupted by the shutdown, or lost with it.
    #[non_exhaustive]
    Ended {
        /// How.
        outcome: Outcome,
    },
}

/// What follows an attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Follows {
    /// Another attempt.
    #[non_exhaustive]
    Retry {
        /// When it is due.
        at: DateTime<Utc>,
    },
    /// Nothing: that was the last attempt.
    Dead,
    /// Nothing: the job gave the run up.
    #[non_exhaustive]
    Discarded {
        /// For this reason.
        reason: String,
    },
}

/// A job was paused or resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of the job.
    pub job: String,
    /// What happened.
    pub what: JobChange,
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobChange {
    /// Its slots pass without a run from now on.
    Paused,
    /// Its slots make runs again.
    Resumed,
}

/// A queue was paused or resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of the queue.
    pub queue: String,
    /// What happened.
    pub what: QueueChange,
}

/// What happened to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueChange {
    /// What is queued in it does not start from now on.
    Paused,
    /// It starts again.
    Resumed,
}

/// A schedule was added, taken out or given another meaning while the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of the job.
    pub job: String,
    /// The key of the schedule among those of its job.
    pub schedule: String,
    /// What happened.
    pub what: ScheduleChange,
}

/// What happened to a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScheduleChange {
    /// It was added.
    Added,
    /// It was taken out.
    Removed,
    /// A [reload](crate::Jobs::reload) has given it another meaning.
    Redefined,
}

/// How far a shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShutdownPhase {
    /// Nothing fires, starts or is accepted any more; what runs may finish.
    Begun,
    /// The patience is over: async runs are dropped where they await, plain functions are asked to return.
    CutOff,
    /// It is done. No event follows.
    Ended,
}

impl Event {
    /// When it happened; none of [`Lagged`](Self::Lagged).
    #[must_use]
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Slot(event) => Some(event.at),
            Self::Run(event) => Some(event.at),
            Self::Job(event) => Some(event.at),
            Self::Queue(event) => Some(event.at),
            Self::Schedule(event) => Some(event.at),
            Self::ClockMoved { at, .. } | Self::TaskDied { at, .. } | Self::Shutdown { at, .. } => Some(*at),
            Self::Lagged(_) => None,
        }
    }

    /// The name of the job that it is about, if it is about one.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        match self {
            Self::Slot(event) => Some(&event.job),
            Self::Run(event) => Some(&event.job),
            Self::Job(event) => Some(&event.job),
            Self::Schedule(event) => Some(&event.job),
            Self::Queue(_)
            | Self::ClockMoved { .. }
            | Self::TaskDied { .. }
            | Self::Shutdown { .. }
            | Self::Lagged(_) => None,
        }
    }

    /// The run that it is about, if it is about one.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        if let Self::Run(event) = self { Some(event.run) } else { None }
    }
}

/// `run 018bcfe5-… of send: attempt 1 of 6 started`, `clock set by -1h`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(event) => event.fmt(f),
            Self::Run(event) => event.fmt(f),
            Self::Job(JobEvent { job, what, .. }) => write!(f, "{job} {what}"),
            Self::Queue(QueueEvent { queue, what, .. }) => write!(f, "queue {queue} {what}"),
            Self::Schedule(ScheduleEvent { job, schedule, what, .. }) => {
                write!(f, "schedule `{schedule}` of {job} {what}")
            }
            Self::ClockMoved { by, suspended, .. } => {
                let how = if *suspended { "moved by a suspension of" } else { "set by" };
                let sign = if *by < TimeDelta::zero() { "-" } else { "" };
                write!(f, "clock {how} {sign}{}", format_duration(by.abs().to_std().unwrap_or_default()))
            }
            Self::TaskDied { task, restart_in: Duration::ZERO, .. } => {
                write!(f, "task {task} died and is replaced")
            }
            Self::TaskDied { task, restart_in, .. } => {
                write!(f, "task {task} died and is started again in {}", format_duration(*restart_in))
            }
            Self::Shutdown { phase, .. } => write!(f, "shutdown {phase}"),
            Self::Lagged(count) => write!(f, "{count} events lost to a slow listener"),
        }
    }
}

impl fmt::Display for SlotEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, schedule, from, to, count, fate, .. } = self;
        match count {
            1 => write!(f, "slot {from} of {job} (`{schedule}`) {fate}"),
            _ => write!(f, "{count} slots from {from} to {to} of {job} (`{schedule}`) {fate}"),
        }
    }
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, run, attempt, what, .. } = self;
        write!(f, "run {run} of {job}: ")?;
        match what {
            RunChange::Submitted { due: None } => f.write_str("submitted"),
            RunChange::Submitted { due: Some(due) } => write!(f, "submitted for {due}"),
            RunChange::Started { of } => write!(f, "attempt {attempt} of {of} started"),
            RunChange::Succeeded { took } => write!(f, "succeeded in {}", format_duration(*took)),
            RunChange::Failed { outcome, follows, .. } => write!(f, "attempt {attempt} {outcome}; {follows}"),
            RunChange::Ended { outcome } => outcome.fmt(f),
        }
    }
}

/// `tried again at 2026-03-02 12:00:01 UTC`, `given up`.
impl fmt::Display for Follows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { at } => write!(f, "tried again at {at}"),
            Self::Dead => f.write_str("not tried again"),
            Self::Discarded { reason } => write!(f, "discarded: {reason}"),
        }
    }
}

impl fmt::Display for JobChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paused => "paused",
            Self::Resumed => "resumed",
        })
    }
}

impl fmt::Display for QueueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paused => "paused",
            Self::Resumed => "resumed",
        })
    }
}

impl fmt::Display for ScheduleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Redefined => "redefined",
        })
    }
}

impl fmt::Display for ShutdownPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begun => "begun",
            Self::CutOff => "cuts off what still runs",
            Self::Ended => "ended",
        })
    }
}
