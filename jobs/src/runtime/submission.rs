//! One-off runs: at once, after a while, at an instant.

use std::any::TypeId;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::coop;

use super::{Jobs, instances};
use crate::clock::Timestamp;
use crate::error::SubmitError;
use crate::job::body::{Body, Cloned, Template};
use crate::job::func::Func;
use crate::job::name::JobName;
use crate::job::run::{Outcome, RunId};
use crate::job::{Job, descriptor::Descriptor};
use crate::registry;
use crate::scheduler::timers::Delay;
use crate::store::memory::{JobIx, Memory, RunKey};

/// Runs a job once, as soon as the pool has room.
///
/// Nothing happens until the submission is awaited, or [`submit`](Submission::submit) or
/// [`blocking`](Submission::blocking) is called. The instance is resolved here and now: the one that the calling job
/// belongs to, or else the only one there is.
///
/// **Guarantee**: runs start in the order in which they were submitted.
///
/// ```
/// # use jobs::job;
/// #[job]
/// async fn greet(name: String) {
///     println!("hello, {name}");
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// jobs::now(greet { name: "Ada".into() }).await?;
/// # Ok(())
/// # }
/// ```
pub fn now<J: Submit>(job: J) -> Submission<J> {
    Submission { jobs: instances::current(), job, delay: None }
}

/// Runs a job once, when some time has passed; no setting of the clock changes it. Like [`now`] otherwise.
///
/// A delay of zero is like [`now`]. Runs become due with a resolution of a millisecond, never early.
pub fn after<J: Submit>(delay: Duration, job: J) -> Submission<J> {
    Submission { jobs: instances::current(), job, delay: Some(Delay::For(delay)) }
}

/// Runs a job once, at an instant by the wall clock, or at once where that has passed. Like [`now`] otherwise.
pub fn at<J: Submit>(instant: DateTime<Utc>, job: J) -> Submission<J> {
    Submission { jobs: instances::current(), job, delay: Some(Delay::At(Timestamp::from_chrono(instant))) }
}

impl Jobs {
    /// Runs a job once, as soon as the pool has room: [`jobs::now`](crate::now) on this instance.
    pub fn now<J: Submit>(&self, job: J) -> Submission<J> {
        Submission { jobs: Ok(self.clone()), job, delay: None }
    }

    /// Runs a job once, when some time has passed: [`jobs::after`](crate::after) on this instance.
    pub fn after<J: Submit>(&self, delay: Duration, job: J) -> Submission<J> {
        Submission { jobs: Ok(self.clone()), job, delay: Some(Delay::For(delay)) }
    }

    /// Runs a job once, at an instant by the wall clock: [`jobs::at`](crate::at) on this instance.
    pub fn at<J: Submit>(&self, instant: DateTime<Utc>, job: J) -> Submission<J> {
        let delay = Some(Delay::At(Timestamp::from_chrono(instant)));
        Submission { jobs: Ok(self.clone()), job, delay }
    }
}

/// What can be submitted and scheduled: every [`Job`], and a closure by way of [`func`](crate::func).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "not a job",
    note = "a function with `#[job]` is submitted as a value of the struct of its name: `send {{ to, order }}`, `sweep {{}}`",
    note = "a closure is submitted by `jobs::func(\"name\", || async {{ … }})`"
)]
pub trait Submit: Send + 'static {
    #[doc(hidden)]
    fn __work(self) -> Work;
}

impl<J: Job> Submit for J {
    fn __work(self) -> Work {
        Work(Kind::Typed {
            type_id: TypeId::of::<J>(),
            name: J::NAME,
            descriptor: J::__descriptor,
            body: Body::Owned(Box::new(self)),
        })
    }
}

/// A submission in the making: awaiting it submits.
#[must_use = "nothing is submitted until this is awaited, or `submit` or `blocking` is called"]
pub struct Submission<J> {
    jobs: Result<Jobs, SubmitError>,
    job: J,
    delay: Option<Delay>,
}
