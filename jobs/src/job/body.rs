//! A job whose type is forgotten: what the queue holds and what a schedule makes runs of.

use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::JobContext;
use super::json::WrittenArguments;
use super::output::{JsonError, write_json};
use super::{Job, JobResult};
use crate::telemetry::panics;

pub(crate) type Attempt = Pin<Box<dyn Future<Output = JobResult> + Send>>;

/// The work of one run.
pub(crate) enum Body {
    /// A value that was submitted.
    Owned(Box<dyn ErasedJob>),
    /// The value of a schedule, which makes a copy for every slot.
    Template(Template),
    /// A value that was submitted, and that somebody reads: under a lock of its own, since that calls code of the user.
    Open(Arc<Open>),
    /// One whose arguments are written down already, on its way to a store that keeps them.
    Written(Box<(Body, Box<str>)>),
}

/// A value that is read by one and used up by another; none when it has been.
pub(crate) type Open = Mutex<Option<Box<dyn ErasedJob>>>;

fn lock(open: &Open) -> MutexGuard<'_, Option<Box<dyn ErasedJob>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

const USED_UP: &str = "invariant: a value is used up by its run alone";

/// The work of a schedule, from which every slot takes a copy.
#[derive(Clone)]
pub(crate) enum Template {
    /// Written down in the source: evaluated for every run.
    Make(fn() -> Erased),
    /// A value or closure given while the program runs.
    Shared(Arc<dyn SharedJob>),
}

impl Body {
    /// Begins the work and uses it up. This calls code of the user, which may panic.
    pub(crate) fn start(self, cx: JobContext) -> Attempt {
        match self {
            Self::Owned(job) => job.start(cx),
            Self::Template(template) => template.start(cx),
            Self::Open(open) => {
                let job = lock(&open).take();
                job.expect(USED_UP).start(cx)
            }
            Self::Written(written) => written.0.start(cx),
        }
    }

    /// The same work once more: a submitted value is cloned. This calls code of the user, which may panic.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Owned(job) => Self::Owned(job.copy()),
            Self::Template(template) => Self::Template(template.clone()),
            Self::Open(open) => Self::Owned(lock(open).as_ref().expect(USED_UP).copy()),
            Self::Written(written) => written.0.copy(),
        }
    }

    /// Begins the work and keeps it for another attempt: a submitted value is cloned, in the place that the attempt
    /// needs anyway. This calls code of the user, which may panic.
    pub(crate) fn start_keeping(&self, cx: JobContext) -> Attempt {
        match self {
            Self::Owned(job) => job.start_clone(cx),
            Self::Template(template) => template.start(cx),
            Self::Open(open) => lock(open).as_ref().expect(USED_UP).start_clone(cx),
            Self::Written(written) => written.0.start_keeping(cx),
        }
    }

    /// Whether it is arguments and no more, so that it may be kept when the run has ended. A closure may hold on to
    /// what others wait for.
    pub(crate) fn is_data(&self) -> bool {
        match self {
            Self::Owned(_) | Self::Open(_) | Self::Template(Template::Make(_)) => true,
            Self::Template(Template::Shared(job)) => job.is_data(),
            Self::Written(written) => written.0.is_data(),
        }
    }

    /// Writes the arguments down, of so many bytes at most. This calls code of the user, which may panic. A closure stays
    /// what it is.
    pub(crate) fn write_down(self, most: usize) -> Result<Self, (Self, JsonError)> {
        let written = match &self {
            Self::Owned(job) => job.json(most),
            Self::Template(Template::Make(make)) => make().0.json(most),
            Self::Template(Template::Shared(job)) => job.json(most),
            Self::Open(open) => lock(open).as_ref().and_then(|job| job.json(most)),
            Self::Written(_) => None,
        };
        match written {
            None => Ok(self),
            Some(Ok(arguments)) => Ok(Self::Written(Box::new((self, arguments.into_boxed_str())))),
            Some(Err(error)) => Err((self, error)),
        }
    }

    /// The work itself, and its arguments where they were written down.
    pub(crate) fn into_parts(self) -> (Self, Option<Box<str>>) {
        match self {
            Self::Written(written) => {
                let (body, arguments) = *written;
                (body, Some(arguments))
            }
            body => (body, None),
        }
    }

    /// Whether dropping it calls no code at all, and so not the user's: it may be dropped anywhere.
    pub(crate) fn is_inert(&self) -> bool {
        match self {
            Self::Owned(job) => job.is_inert(),
            Self::Template(Template::Make(_)) => true,
            Self::Template(Template::Shared(_)) | Self::Open(_) | Self::Written(_) => false,
        }
    }

    /// Lets somebody read it, elsewhere and later. This calls no code of the user.
    pub(crate) fn reader(&mut self) -> Reader {
        if let Self::Owned(_) = self {
            let open = Arc::<Open>::default();
            if let Self::Owned(job) = std::mem::replace(self, Self::Open(Arc::clone(&open))) {
                *lock(&open) = Some(job);
            }
        }
        Reader(match self {
            Self::Owned(_) | Self::Written(_) => {
                unreachable!("invariant: it was just replaced, and what waits has come out of its wrapping")
            }
            Self::Open(open) => Self::Open(Arc::clone(open)),
            Self::Template(template) => Self::Template(template.clone()),
        })
    }
}

/// Reads the arguments of a run. It calls code of the user, so not under a lock.
#[derive(Debug)]
pub(crate) struct Reader(Body);

impl Reader {
    /// The arguments as JSON; none for a closure, where they cannot be written, and when they have been used up.
    pub(crate) fn arguments(&self) -> Option<WrittenArguments> {
        panics::catch(|| self.0.arguments()).unwrap_or_default()
    }

    /// The same work for another run; none when it has been used up, or cannot be copied.
    pub(crate) fn body(&self) -> Option<Body> {
        panics::catch(|| match &self.0 {
            Body::Open(open) => lock(open).as_ref().map(|job| Body::Owned(job.copy())),
            body => Some(body.copy()),
        })
        .unwrap_or_default()
    }
}

impl Body {
    /// The arguments as JSON; none for a closure, and where one cannot be written. This calls code of the user, which
    /// may panic.
    pub(crate) fn arguments(&self) -> Option<WrittenArguments> {
        match self {
            Self::Owned(job) => job.arguments(),
            Self::Template(template) => template.arguments(),
            Self::Open(open) => lock(open).as_ref()?.arguments(),
            Self::Written(written) => written.0.arguments(),
        }
    }
}

impl Template {
    /// As [`Body::arguments`].
    pub(crate) fn arguments(&self) -> Option<WrittenArguments> {
        match self {
            Self::Make(make) => make().0.arguments(),
            Self::Shared(job) => job.arguments(),
        }
    }

    fn start(&self, cx: JobContext) -> Attempt {
        match self {
            Self::Make(make) => make().0.start(cx),
            Self::Shared(job) => job.start(cx),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owned(_) => "Owned",
            Self::Template(_) => "Template",
            Self::Open(_) => "Open",
            Self::Written(_) => "Written",
        })
    }
}

/// A job value whose type is forgotten.
pub struct Erased(Box<dyn ErasedJob>);

impl Erased {
    pub(crate) fn into_body(self) -> Body {
        Body::Owned(self.0)
    }

    /// Forgets the type of a job.
    pub fn new<J: Job>(job: J) -> Self {
        Self(Box::new(job))
    }
}

/// [`Job`] without its type, used up by its last attempt.
pub(crate) trait ErasedJob: Send {
    fn start(self: Box<Self>, cx: JobContext) -> Attempt;
    fn start_clone(&self, cx: JobContext) -> Attempt;
    fn copy(&self) -> Box<dyn ErasedJob>;

    /// Whether dropping it does nothing.
    fn is_inert(&self) -> bool {
        false
    }

    /// What there is to write down; none for a closure.
    fn arguments(&self) -> Option<WrittenArguments> {
        None
    }

    /// The same whole, as text of so many bytes at most.
    fn json(&self, most: usize) -> Option<Result<String, JsonError>> {
        let _ = most;
        None
    }
}

impl<J: Job> ErasedJob for J {
    fn start(self: Box<Self>, cx: JobContext) -> Attempt {
        Box::pin((*self).run(cx))
    }

    fn start_clone(&self, cx: JobContext) -> Attempt {
        Box::pin(self.clone().run(cx))
    }

    fn copy(&self) -> Box<dyn ErasedJob> {
        Box::new(self.clone())
    }

    fn is_inert(&self) -> bool {
        !std::mem::needs_drop::<J>()
    }

    fn arguments(&self) -> Option<WrittenArguments> {
        WrittenArguments::of(self)
    }

    fn json(&self, most: usize) -> Option<Result<String, JsonError>> {
        Some(write_json(self, most))
    }
}

/// [`Job`] without its type, for any number of runs.
pub(crate) trait SharedJob: Send + Sync {
    fn start(&self, cx: JobContext) -> Attempt;

    /// Whether it is a value with arguments, and no closure.
    fn is_data(&self) -> bool {
        false
    }

    /// What there is to write down; none for a closure.
    fn arguments(&self) -> Option<WrittenArguments> {
        None
    }

    /// The same whole, as text of so many bytes at most.
    fn json(&self, most: usize) -> Option<Result<String, JsonError>> {
        let _ = most;
        None
    }
}

/// A value that is cloned for every run. The lock spares the user a `Sync` bound.
pub(crate) struct Cloned<J>(Mutex<J>);

impl<J: Job> Cloned<J> {
    pub(crate) fn template(job: J) -> Template {
        Template::Shared(Arc::new(Self(Mutex::new(job))))
    }
}

impl<J: Job> Cloned<J> {
    fn value(&self) -> J {
        let original = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clone that panics fails its own run; it must not hold the lock while it unwinds.
        let clone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| original.clone()));
        drop(original);
        clone.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<J: Job> SharedJob for Cloned<J> {
    fn start(&self, cx: JobContext) -> Attempt {
        Box::pin(self.value().run(cx))
    }

    fn is_data(&self) -> bool {
        true
    }

    fn arguments(&self) -> Option<WrittenArguments> {
        WrittenArguments::of(&self.value())
    }

    fn json(&self, most: usize) -> Option<Result<String, JsonError>> {
        Some(write_json(&self.value(), most))
    }
}
