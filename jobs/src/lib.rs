//! Background work by annotating functions: on a schedule, at an interval, at start-up, or whenever a job is
//! submitted.
//!
//! ```standalone_crate
//! use jobs::{Config, job};
//!
//! /// Fires every second, as long as the program runs.
//! #[job(schedule = "* * * * * *", tz = "Europe/Oslo")]
//! async fn tick() {
//!     println!("tick");
//! }
//!
//! /// Runs when it is submitted.
//! #[job]
//! async fn greet(name: String) -> Result<(), std::io::Error> {
//!     println!("hello, {name}");
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let jobs = jobs::start(Config::default()).await?;
//!
//!     let run = jobs::now(greet { name: "Ada".into() }).await?;
//!     assert!(run.wait().await.is_success());
//!
//!     println!("{}", jobs.snapshot());
//!     jobs.shutdown().await; // a program that goes on says `jobs.run_until_signal().await`
//!     Ok(())
//! }
//! ```
//!
#![doc = include_str!("manual.md")]
#![doc = include_str!("durable.md")]
#![forbid(unsafe_code)]

mod clock;
mod config;
mod error;
mod hooks;
mod job;
mod pool;
mod registry;
mod runtime;
mod schedule;
mod scheduler;
#[cfg(feature = "web")]
mod status;
mod store;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;

pub use config::{Config, ConfigError, JobConfig};
pub use error::{BoxError, Place, Problem};
pub use hooks::{
    Event, Events, Failure, Follows, JobChange, JobEvent, Next, QueueChange, QueueEvent, RunChange, RunEvent,
    ScheduleChange, ScheduleEvent, ShutdownPhase, SlotEvent,
};
pub use job::{
    Attempt, Func, Job, JobContext, JobResult, LogLine, MadeBy, Outcome, OutputError, Progress, RunId,
    RunIdError, RunSnapshot, RunState, Steered, discard, func, log, progress, retry_in,
};
pub use jobs_macros::job;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use runtime::CompleteError;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use runtime::StoreTransaction;
#[cfg(feature = "postgres")]
pub use runtime::{ClusterSnapshot, NodeSnapshot, postgres_schema};
pub use runtime::{
    Condition, Explanation, Fate, Health, JobSnapshot, JobStatus, Jobs, LedgerEntry, LedgerQuery,
    PoolSnapshot, PreviousRun, QueueSnapshot, Reloaded, ReloadedSchedule, ReloadedSetting, RunHandle,
    RunQuery, ScheduleHandle, ScheduleMeaning, ScheduleSnapshot, Scheduling, ShutdownReport, Snapshot,
    SourcePlace, StartError, Submission, Submit, SubmitError, SubmitMany, Submitting, Tally, Trouble, Why,
    after, at, now, start, submit_many,
};
pub use schedule::{Schedule, ScheduleError};
#[cfg(feature = "web")]
pub use status::ServeError;

/// What the code that `#[job]` generates needs. Not for anybody else: it changes without notice, which is
/// why `jobs` pins the exact version of `jobs-macros`.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;

    pub use crate::job::argument::{Argument, ArgumentOf, Arguments, DefaultOf, FieldSource, FromText};
    pub use crate::job::body::Erased;
    pub use crate::job::descriptor::{
        ArgumentDecl, Default_, Descriptor, Read, ScheduleDecl, Startup, StateDecl, WhenDecl,
    };
    pub use crate::job::injected::State;
    pub use crate::job::options::{AttemptOptions, LimitOptions, Unique};
    pub use crate::job::registered::{read, registered};
    pub use crate::job::returned::{OutputOf, Returned};
    pub use crate::job::sent::RunOf;
    pub use jobs_macros::{__implement, __stacked};
    pub use jobs_syntax::{Backoff, Missed, Overlap, Rate};
}

/// The code of the README, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
