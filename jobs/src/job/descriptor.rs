//! What `#[job]` writes down about a function, collected at link time.

#![allow(missing_docs, reason = "for generated code, behind `__private`")]

use std::any::TypeId;
use std::time::Duration;

use jobs_syntax::{Missed, Overlap};

use super::body::Erased;
use super::options::{AttemptOptions, LimitOptions};

/// A job as `#[job]` found it in the source.
#[derive(Debug)]
pub struct Descriptor {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// The doc comment of the function, lines joined by `\n`, trimmed; empty where there is none.
    pub description: &'static str,
    pub module: &'static str,
    pub file: &'static str,
    pub line: u32,
    /// A plain `fn`, which runs on a thread that may block.
    pub blocking: bool,
    pub enabled: bool,
    pub startup: Option<Startup>,
    pub overlap: Option<Overlap>,
    pub attempts: AttemptOptions,
    pub limits: LimitOptions,
    /// In the order of the parameters.
    pub arguments: &'static [ArgumentDecl],
    pub schedules: &'static [ScheduleDecl],
    pub states: &'static [StateDecl],
    /// The job with its default arguments, for start-up and "run now"; none where an argument has no default.
    pub default: Option<Default_>,
    /// Makes a value of the job of arguments in JSON; a field that is missing takes its default.
    pub read: Read,
}

inventory::collect!(&'static Descriptor);

/// Makes a value of the job of JSON.
pub type Read = fn(&str) -> Result<Erased, serde_json::Error>;

/// Makes a value of the job.
pub type Default_ = fn() -> Erased;

/// `startup` or `startup = "blocking"`, with `order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Startup {
    pub blocking: bool,
    pub order: i32,
}

/// One schedule of an attribute.
#[derive(Debug)]
pub struct ScheduleDecl {
    pub when: WhenDecl,
    pub tz: Option<&'static str>,
    pub key: Option<&'static str>,
    /// A slot fires later than its time by less than this.
    pub jitter: Option<Duration>,
    pub missed: Option<Missed>,
    /// The job with the arguments of this schedule.
    pub job: Default_,
    /// The arguments as the source has them, for pages and for the identity of the schedule; empty without any.
    pub args: &'static str,
    /// The line of the `#[job]` that holds the schedule.
    pub line: u32,
}

/// When, as the source has it; `jobs-syntax` has parsed it at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenDecl {
    /// `schedule = "0 0 3 * * *"`.
    Spec(&'static str),
    /// `schedule = "cron.nightly"`, with the `cron.`.
    Named(&'static str),
    /// `every = "24h"`.
    Every(&'static str),
    /// `fixed_delay = "5m"`.
    FixedDelay(&'static str),
}

/// An argument, a field of the job.
#[derive(Debug)]
pub struct ArgumentDecl {
    pub name: &'static str,
    pub type_name: fn() -> &'static str,
    /// Whether it has a `#[default]`.
    pub has_default: bool,
    /// Kept off pages and logs.
    pub redacted: bool,
}

/// A `#[state]` parameter.
#[derive(Debug)]
pub struct StateDecl {
    pub type_id: fn() -> TypeId,
    pub type_name: fn() -> &'static str,
    pub parameter: &'static str,
}
