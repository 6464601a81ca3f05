//! What the attribute and the config say about the runs of a job: timeouts and retries, queue and limits, and what
//! becomes of slots.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use jobs_syntax::{Backoff, DEFAULT_QUEUE, Missed, Rate};

/// Retries of a run that was submitted, where nothing is said.
pub(crate) const RETRIES_OF_SUBMISSIONS: u32 = 20;

/// What made a run, which decides how often it is tried where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A slot of a schedule, whose next slot is the retry.
    Slot,
    /// A submission, which has no other chance.
    Submission,
    /// A job that was run by its name.
    RunNow,
    /// A start-up job that nobody waits for.
    Startup,
    /// A start-up job that `start` waits for: its error is to be told, not to be waited out.
    BlockingStart,
}

/// What is said about the attempts of a job, each thing only where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "for generated code, behind `__private`")]
pub struct AttemptOptions {
    pub timeout: Option<Duration>,
    pub retries: Option<u32>,
    pub backoff: Option<Backoff>,
}

impl AttemptOptions {
    /// Nothing is said.
    pub const DEFAULT: Self = Self { timeout: None, retries: None, backoff: None };

    /// How often a run that fails is tried again.
    pub(crate) fn retries(&self, origin: Origin) -> u32 {
        self.retries.unwrap_or(match origin {
            Origin::Slot | Origin::BlockingStart => 0,
            Origin::Submission | Origin::RunNow | Origin::Startup => RETRIES_OF_SUBMISSIONS,
        })
    }

    pub(crate) fn backoff(&self) -> Backoff {
        self.backoff.unwrap_or(Backoff::DEFAULT)
    }
}

/// Priorities are from minus this to this.
pub(crate) const MAX_PRIORITY: i8 = 100;

/// What an attribute says about the place of a job's runs in the pool, each thing only where it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "for generated code, behind `__private`")]
pub struct LimitOptions {
    pub queue: Option<&'static str>,
    pub priority: Option<i8>,
    pub concurrency: Option<NonZeroU32>,
    pub rate: Option<Rate>,
    pub unique: Option<Unique>,
}

impl LimitOptions {
    /// Nothing is said.
    pub const DEFAULT: Self =
        Self { queue: None, priority: None, concurrency: None, rate: None, unique: None };
}

/// Which submissions of a job are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "for generated code, behind `__private`")]
pub enum Unique {
    /// Those with the same arguments, as long as the run of the first is live.
    Args,
    /// Those with the same arguments in one window of time, counted from the epoch.
    Per(Duration),
    /// Those that agree in these arguments, as long as the run of the first is live.
    Fields(&'static [&'static str]),
}

/// The place of a job's runs in the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) queue: Cow<'static, str>,
    /// Higher first.
    pub(crate) priority: i8,
    /// How many attempts execute at the same time.
    pub(crate) concurrency: Option<NonZeroU32>,
    /// How many attempts start in how much time.
    pub(crate) rate: Option<Rate>,
    pub(crate) unique: Option<Unique>,
}

impl Limits {
    /// What holds where nothing is said.
    pub(crate) const DEFAULT: Self = Self {
        queue: Cow::Borrowed(DEFAULT_QUEUE),
        priority: 0,
        concurrency: None,
        rate: None,
        unique: None,
    };
}

impl From<LimitOptions> for Limits {
    fn from(said: LimitOptions) -> Self {
        Self {
            queue: Cow::Borrowed(said.queue.unwrap_or(DEFAULT_QUEUE)),
            priority: said.priority.unwrap_or(0),
            concurrency: said.concurrency,
            rate: said.rate,
            unique: said.unique,
        }
    }
}

/// What becomes of the slots of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SlotOptions {
    /// A slot fires later than its time by less than this.
    pub(crate) jitter: Option<Duration>,
    /// What is made up for; none is the default of the store.
    pub(crate) missed: Option<Missed>,
}
