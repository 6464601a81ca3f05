//! Background work by annotating functions.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod error;
mod job;
mod pool;
mod registry;
mod runtime;
mod schedule;
mod scheduler;
mod store;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;

pub use config::{Config, ConfigError, JobConfig};
pub use error::{BoxError, Place, Problem};
pub use job::{Func, Job, JobContext, JobResult, Outcome, RunId, func};
pub use jobs_macros::job;
pub use runtime::{
    JobSnapshot, JobStatus, Jobs, PoolSnapshot, PreviousRun, RunHandle, ScheduleHandle, ScheduleSnapshot,
    Scheduling, ShutdownReport, Snapshot, SourcePlace, StartError, Submission, Submit, SubmitError,
    Submitting, after, at, now, start,
};
pub use schedule::{Schedule, ScheduleError};

/// What the code that `#[job]` generates needs. Not for anybody else: it changes without notice, which is
/// why `jobs` pins the exact version of `jobs-macros`.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;

    pub use crate::job::argument::{Argument, ArgumentOf, Arguments, DefaultOf, FieldSource, FromText};
    pub use crate::job::body::Erased;
    pub use crate::job::descriptor::{Default_, Descriptor, ScheduleDecl, Startup, StateDecl, WhenDecl};
    pub use crate::job::injected::State;
    pub use crate::job::registered::registered;
    pub use crate::job::returned::Returned;
    pub use jobs_macros::{__implement, __stacked};
    pub use jobs_syntax::Overlap;
}
