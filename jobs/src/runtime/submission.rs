//! One-off runs: at once, after a while, at an instant.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::coop;

use super::accepted::Accepted;
use super::error::SubmitError;
use super::handle::RunHandle;
#[cfg(feature = "postgres")]
use super::order::Order;
use super::submit::{Kind, Submit, Who};
use super::{Jobs, instances};
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::descriptor::Descriptor;
use crate::job::name::JobName;
use crate::job::options::{MAX_PRIORITY, Origin, Unique};
use crate::pool::{Closed, Directory};
use crate::registry;
use crate::scheduler::timers::Delay;
use crate::store::memory::{JobIx, Memory, RunOptions};

/// Runs a job once, as soon as the pool has room.
///
/// Nothing happens until the submission is awaited, or [`submit`](Submission::submit) or
/// [`blocking`](Submission::blocking) is called. The instance is resolved here and now: the one that the calling job
/// belongs to, or else the only one there is.
///
/// **Guarantee**: runs of one queue and one priority start in the order in which they were submitted. In a cluster each process
/// keeps to it by itself.
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
    Submission::new(instances::current(), job, None)
}

/// Runs a job once, when some time has passed; no setting of the clock changes it. Like [`now`] otherwise.
///
/// Runs become due with a resolution of a millisecond, never early. A delay past the end of the clock, in the year 2262,
/// is refused.
pub fn after<J: Submit>(delay: Duration, job: J) -> Submission<J> {
    Submission::new(instances::current(), job, Some(Delay::For(delay)))
}

/// Runs a job once, at an instant by the wall clock, or at once where that has passed. Like [`now`] otherwise.
pub fn at<J: Submit>(instant: DateTime<Utc>, job: J) -> Submission<J> {
    Submission::new(instances::current(), job, Some(Delay::At(Timestamp::from_chrono(instant))))
}

impl Jobs {
    /// Runs a job once, as soon as the pool has room: [`jobs::now`](crate::now) on this instance.
    pub fn now<J: Submit>(&self, job: J) -> Submission<J> {
        Submission::new(Ok(self.clone()), job, None)
    }

    /// Runs a job once, when some time has passed: [`jobs::after`](crate::after) on this instance.
    pub fn after<J: Submit>(&self, delay: Duration, job: J) -> Submission<J> {
        Submission::new(Ok(self.clone()), job, Some(Delay::For(delay)))
    }

    /// Runs a job once, at an instant by the wall clock: [`jobs::at`](crate::at) on this instance.
    pub fn at<J: Submit>(&self, instant: DateTime<Utc>, job: J) -> Submission<J> {
        let delay = Some(Delay::At(Timestamp::from_chrono(instant)));
        Submission::new(Ok(self.clone()), job, delay)
    }
}

/// What a submission says of its run, each thing only where it says it.
#[derive(Debug, Clone, Default)]
pub(super) struct SubmitOptions {
    queue: Option<Box<str>>,
    priority: Option<i8>,
    retries: Option<u32>,
    unique: Option<Unique>,
}

/// A submission in the making: awaiting it submits.
#[must_use = "nothing is submitted until this is awaited, or `submit` or `blocking` is called"]
pub struct Submission<J: 'static> {
    pub(super) jobs: Result<Jobs, SubmitError>,
    pub(super) job: J,
    pub(super) kind: &'static Kind<J>,
    pub(super) delay: Option<Delay>,
    pub(super) options: SubmitOptions,
}

impl<J: Submit> Submission<J> {
    fn new(jobs: Result<Jobs, SubmitError>, job: J, delay: Option<Delay>) -> Self {
        Self { jobs, job, kind: J::__KIND, delay, options: SubmitOptions::default() }
    }

    /// One that is not to start before it is released.
    #[cfg(feature = "testing")]
    pub(super) fn held(jobs: Jobs, job: J) -> Self {
        Self::new(Ok(jobs), job, Some(Delay::At(Timestamp::MAX)))
    }
}

// Whatever `J` is: a value that is no job is told of where it is given, and not again at each call.
impl<J: 'static> Submission<J> {
    /// Puts the run into a queue, whatever the job says: [`Snapshot::queues`](crate::Snapshot::queues) has those that there
    /// are. One that is new has no limit but the pool's.
    ///
    /// ```
    /// # use jobs::job;
    /// # #[job] async fn send(to: String) {}
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// jobs::now(send { to: "ada@example.org".into() }).queue("mail").priority(5).retries(3).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.options.queue = Some(name.into().into_boxed_str());
        self
    }

    /// Gives the run a priority from -100 to 100, whatever the job says: runs of a higher priority are claimed first.
    ///
    /// Every eighth claim takes the run that has waited for longest, whatever its priority, so that none waits for ever.
    pub fn priority(mut self, priority: i8) -> Self {
        self.options.priority = Some(priority);
        self
    }

    /// How often the run is tried again when it fails, whatever the job says.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = Some(retries);
        self
    }

    /// Makes no second run of the job with the same arguments as long as one is live, whatever the job says: what comes back is
    /// the handle of the first, and [`RunHandle::is_duplicate`] says so.
    ///
    /// The arguments are compared as JSON, those with `#[redact]` too; a closure is compared by its name. A run that its schedule
    /// or the start has made stands for none, and none stands for it.
    ///
    /// ```
    /// # use jobs::job;
    /// #[job]
    /// async fn index(page: u64) {}
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let run = jobs::now(index { page: 7 }).unique().await?;
    /// let other = jobs::now(index { page: 7 }).unique().await?;
    /// assert!(other.is_duplicate() && other.id() == run.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn unique(mut self) -> Self {
        self.options.unique = Some(Unique::Args);
        self
    }

    /// Makes no second run of the job with the same arguments in one window of time, whatever the job says. Windows of the
    /// length follow each other from the epoch on: of one hour, they are those of the clock in UTC. The instant that counts
    /// is the one at which the run is to start.
    ///
    /// A run that has succeeded stands for others to the end of its window, also where the clock is set back into it: that is
    /// remembered for as long again, an hour at most. One that has failed for good or was cancelled does not.
    /// [`unique`](Self::unique) otherwise.
    pub fn unique_per(mut self, window: Duration) -> Self {
        self.options.unique = Some(Unique::Per(window));
        self
    }

    /// Submits without awaiting. The run is queued when this returns.
    ///
    /// On a durable store it blocks its thread until the run is committed, on PostgreSQL for as long as the server does not
    /// answer: on the threads of a runtime, await.
    ///
    /// # Errors
    ///
    /// No instance, or several, and the call does not say which; an instance that has been shut down; a closure or
    /// a hand-written job whose name cannot be one or belongs to another job.
    pub fn submit(self) -> Result<RunHandle, SubmitError> {
        self.accept()?.safe_blocking()
    }

    /// Hands the run over, and does not wait until it is safe.
    fn accept(self) -> Result<Accepted, SubmitError> {
        if let (Ok(jobs), Some(delay)) = (&self.jobs, self.delay) {
            jobs.refuse_never(delay)?;
        }
        #[cfg(feature = "testing")]
        if self.jobs.as_ref().is_ok_and(|jobs| jobs.probe().is_some()) {
            return self.submit_noted();
        }
        self.submit_unseen()
    }

    #[cfg(feature = "testing")]
    pub(super) fn args(&self) -> serde_json::Value {
        (self.kind.args)(&self.job)
    }

    #[cfg(feature = "testing")]
    pub(super) fn who(&self) -> Who {
        (self.kind.who)(&self.job)
    }

    pub(super) fn submit_unseen(self) -> Result<Accepted, SubmitError> {
        let jobs = self.jobs?;
        let unique = self.options.unique;
        let options = self.options.resolve(&jobs)?;
        let who = (self.kind.who)(&self.job);
        let body = (self.kind.body)(self.job);
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        let body = jobs.written(who.name(), body)?;
        #[cfg(feature = "postgres")]
        if let Some(cluster) = jobs.inner.cluster.get() {
            let job = jobs.register(&who)?;
            if cluster.executes(&jobs, job)? {
                let order = Order {
                    job,
                    body,
                    origin: Origin::Submission,
                    options,
                    unique,
                    delay: self.delay,
                    requested_by: None,
                };
                return cluster.submit(&jobs, order);
            }
        }
        let handle = if let Some(unique) = unique {
            let job = jobs.register(&who)?;
            jobs.submit_one(job, unique, body, Origin::Submission, options, self.delay)
        } else if let Some(delay) = self.delay {
            jobs.submit_later(&who, body, options, delay)
        } else {
            jobs.submit_now(&who, body, options)
        };
        handle.map(Accepted::here)
    }

    /// Submits from code that is not async; it returns when the run is safely in the store.
    ///
    /// # Errors
    ///
    /// Those of [`submit`](Self::submit).
    pub fn blocking(self) -> Result<RunHandle, SubmitError> {
        self.submit()
    }
}

impl SubmitOptions {
    pub(super) fn unique(&self) -> Option<Unique> {
        self.unique
    }

    /// Most submissions say nothing.
    #[inline]
    pub(super) fn resolve(self, jobs: &Jobs) -> Result<RunOptions, SubmitError> {
        match self {
            Self { queue: None, priority: None, retries, unique: None } => {
                Ok(RunOptions { retries, ..RunOptions::default() })
            }
            said => said.resolve_said(jobs),
        }
    }

    fn resolve_said(self, jobs: &Jobs) -> Result<RunOptions, SubmitError> {
        let Self { queue, priority, retries, unique } = self;
        if matches!(unique, Some(Unique::Per(window)) if window.is_zero()) {
            let message =
                "a window of no time has no submissions in it; say `unique()` or give one of at least 1ns";
            return Err(SubmitError::bad_option(message.to_owned()));
        }
        if let Some(priority) = priority
            && priority.unsigned_abs() > MAX_PRIORITY.unsigned_abs()
        {
            return Err(SubmitError::bad_option(format!(
                "the priority {priority} is outside -{MAX_PRIORITY} to {MAX_PRIORITY}"
            )));
        }
        let named = |name: Box<str>| {
            jobs_syntax::check_queue_name(&name)
                .map_err(|error| SubmitError::bad_option(error.render(&name)))?;
            jobs.inner.pool.queue(&name).map_err(|_| {
                SubmitError::bad_option(format!(
                    "the queue `{name}` is one too many: there are 65 536 at most"
                ))
            })
        };
        Ok(RunOptions { queue: queue.map(named).transpose()?, priority, retries })
    }
}

impl<J: 'static> IntoFuture for Submission<J> {
    type Output = Result<RunHandle, SubmitError>;
    type IntoFuture = Submitting<J>;

    fn into_future(self) -> Submitting<J> {
        Submitting {
            submission: Some(self),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            committing: None,
        }
    }
}

impl<J: 'static> fmt::Debug for Submission<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("delay", &self.delay).finish_non_exhaustive()
    }
}

/// The future of a [`Submission`].
///
/// # Cancel safety
///
/// Dropped before it is polled, it has submitted nothing. On a durable store, dropped after that and before it completes, it
/// may have: the run goes on, and nobody is told.
#[must_use = "futures do nothing unless awaited"]
pub struct Submitting<J: 'static> {
    submission: Option<Submission<J>>,
    /// The run was handed over, and is not safe yet.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    committing: Option<Committing>,
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
type Committing = Pin<Box<dyn Future<Output = Result<RunHandle, SubmitError>> + Send>>;

// Nothing in it is ever pinned.
impl<J: 'static> Unpin for Submitting<J> {}

impl<J: 'static> Future for Submitting<J> {
    type Output = Result<RunHandle, SubmitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        if let Some(committing) = &mut self.committing {
            return committing.as_mut().poll(cx);
        }
        // A loop that submits must leave the workers their turn on a runtime with one thread.
        let coop = ready!(coop::poll_proceed(cx));
        coop.made_progress();
        let submission = self.submission.take().expect("invariant: a future is not polled after its end");
        let accepted = match submission.accept() {
            Ok(accepted) => accepted,
            Err(error) => return Poll::Ready(Err(error)),
        };
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        if !accepted.is_safe() {
            return self.committing.insert(Box::pin(accepted.safe())).as_mut().poll(cx);
        }
        Poll::Ready(Ok(accepted.handle))
    }
}

impl<J: 'static> fmt::Debug for Submitting<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitting").field("submission", &self.submission).finish_non_exhaustive()
    }
}

impl Jobs {
    /// The handle to the instance goes on into the handle to the run, which spares a count of references.
    fn submit_now(self, who: &Who, body: Body, options: RunOptions) -> Result<RunHandle, SubmitError> {
        let (pool, origin) = (&self.inner.pool, Origin::Submission);
        let plain = |jobs: &Directory| who.find(jobs).filter(|job| !jobs.is_unique(*job));
        let (id, key) = match pool.submit(plain, body, origin, options) {
            Ok(Ok(submitted)) => submitted,
            // The job is not known yet, or its submissions are compared.
            Ok(Err(body)) => {
                let job = self.register(who)?;
                return match self.unique_of(job) {
                    Some(unique) => self.submit_one(job, unique, body, origin, options, None),
                    None => self.submit_as(job, body, origin, options),
                };
            }
            Err(Closed) => return Err(SubmitError::shut_down()),
        };
        Ok(RunHandle { id, key: Some(key), jobs: self, duplicate: false })
    }

    /// Queues a run of a job that is known. `requested_by` says who asked for it on the status page.
    pub(super) fn submit_known(
        self,
        job: JobIx,
        body: Body,
        origin: Origin,
        requested_by: Option<&str>,
    ) -> Result<Accepted, SubmitError> {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        let body = {
            let name = self.inner.pool.read(|memory| memory.job(job).info.name.clone());
            self.written(&name, body)?
        };
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get()
            && !matches!(origin, Origin::Startup | Origin::BlockingStart)
            && cluster.executes(&self, job)?
        {
            let options = RunOptions::default();
            let requested_by = requested_by.map(str::to_owned);
            return cluster.submit(
                &self,
                Order { job, body, origin, options, unique: None, delay: None, requested_by },
            );
        }
        let handle = match self.unique_of(job).filter(|_| origin == Origin::RunNow) {
            Some(unique) => self.submit_one(job, unique, body, origin, RunOptions::default(), None),
            None => self.submit_as(job, body, origin, RunOptions::default()),
        };
        let handle = handle?;
        handle.set_requested_by(requested_by);
        Ok(Accepted::here(handle))
    }

    pub(super) fn submit_as(
        self,
        job: JobIx,
        body: Body,
        origin: Origin,
        options: RunOptions,
    ) -> Result<RunHandle, SubmitError> {
        match self.inner.pool.submit(|_| Some(job), body, origin, options) {
            Ok(submitted) => {
                let (id, key) = submitted.expect("invariant: the job is known");
                Ok(RunHandle { id, key: Some(key), jobs: self, duplicate: false })
            }
            Err(Closed) => Err(SubmitError::shut_down()),
        }
    }

    /// What lies past the end of the clock would never be told from a mistake in the unit of the time.
    pub(super) fn refuse_never(&self, delay: Delay) -> Result<(), SubmitError> {
        let due = match delay {
            Delay::At(at) => at,
            Delay::For(by) => self.inner.clock.now().wall.saturating_add(by),
        };
        if due < Timestamp::MAX {
            return Ok(());
        }
        Err(SubmitError::bad_option(format!(
            "the run would start past the end of the clock, {}\n\
             help: give a nearer time; what no time is known for yet, submit when it is",
            Timestamp::MAX.to_chrono().format("%F")
        )))
    }

    fn submit_later(
        self,
        who: &Who,
        body: Body,
        options: RunOptions,
        delay: Delay,
    ) -> Result<RunHandle, SubmitError> {
        let job = self.register(who)?;
        if let Some(unique) = self.unique_of(job) {
            return self.submit_one(job, unique, body, Origin::Submission, options, Some(delay));
        }
        let now = self.inner.scheduler.present();
        let due = match delay {
            Delay::At(at) => at,
            Delay::For(by) => now.wall.saturating_add(by),
        };
        let delayed = self.inner.pool.delay(job, body, options, due);
        let (id, key) = delayed.map_err(|Closed| SubmitError::shut_down())?;
        self.inner.scheduler.delay(key, delay);
        Ok(RunHandle { id, key: Some(key), jobs: self, duplicate: false })
    }

    /// The job of a value, made known where it is not yet: a closure, a hand-written job, or a linked job that
    /// is submitted for the first time.
    pub(super) fn register(&self, who: &Who) -> Result<JobIx, SubmitError> {
        if let Some(ix) = self.inner.pool.find(|jobs| who.find(jobs)) {
            return Ok(ix);
        }
        let (name, type_id, descriptor, is_func) = match who {
            Who::Typed { type_id, name, descriptor } => {
                (JobName::Static(name), Some(*type_id), *descriptor, false)
            }
            Who::Func(name) => (JobName::Shared(Arc::clone(name)), None, None, true),
        };
        jobs_syntax::check_job_name(&name).map_err(|error| SubmitError::bad_name(error.render(&name)))?;
        // By an alias `run_now` and the config reach the job that has it, so it is a name that is taken.
        let is_alias = |other: &Descriptor| other.aliases.contains(&&*name);
        let taken = |memory: &Memory| memory.jobs().any(|(_, job)| job.info.descriptor.is_some_and(is_alias));
        if self.inner.pool.read(taken) {
            return Err(SubmitError::name_taken(&name));
        }
        let info = registry::info(name.clone(), descriptor, is_func, &self.inner.settings());
        self.inner.pool.bind_job(info, type_id).map_err(|_| SubmitError::name_taken(&name))
    }
}
