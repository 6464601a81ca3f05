//! Background work by annotating functions.
#![forbid(unsafe_code)]

mod error;
mod job;

pub use error::{BoxError, Place, Problem};
pub use job::{Job, JobContext, JobResult};
pub use jobs_macros::job;

/// What the code that `#[job]` generates needs. Not for anybody else: it changes without notice, which is
/// why `jobs` pins the exact version of `jobs-macros`.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use serde;

    pub use crate::job::argument::{Argument, ArgumentOf, Arguments, DefaultOf, FieldSource, FromText};
    pub use crate::job::descriptor::{
        Default_, Descriptor, Erased, ScheduleDecl, Startup, StateDecl, WhenDecl,
    };
    pub use crate::job::injected::State;
    pub use crate::job::registered::registered;
    pub use crate::job::returned::Returned;
    pub use jobs_macros::{__implement, __stacked};
    pub use jobs_syntax::Overlap;
}
