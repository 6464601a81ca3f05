//! What a running job knows about itself.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::task::{JoinError, JoinHandle};

use super::ambient::{self, Host};
use super::call::Call;
use super::name::JobName;
use super::notes::Progress;
use super::output::Output;
use super::report;
use super::run::RunId;
use super::signals::{Signals, Turn};
use super::slot::Slot;
use super::state::StateMap;
use super::steer::{Steer, Steered};
use crate::JobResult;
use crate::clock::{Clock, Timestamp};
use crate::telemetry::panics::{self, Panic};

/// What a running job knows about itself. A function with `#[job]` takes it as `cx: &JobContext`. A clone is the same
/// attempt's, for a task that it spawns; when the attempt is over, what is said to it is for nobody.
#[derive(Clone)]
pub struct JobContext {
    pub(crate) id: RunId,
    pub(crate) job: JobName,
    pub(crate) queue: JobName,
    pub(crate) attempt: u32,
    pub(crate) slot: Option<Slot>,
    pub(crate) started: Timestamp,
    pub(crate) turn: Turn,
    pub(crate) surroundings: Arc<Surroundings>,
}

/// What all attempts of a worker share. Every worker has a copy of its own, so that the counts of references
/// are not fought over by all processors.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) host: Host,
    pub(crate) state: Arc<StateMap>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) clock: Arc<Clock>,
    #[cfg(feature = "testing")]
    pub(crate) probe: Option<Arc<super::probe::Probe>>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("state", &self.state).finish_non_exhaustive()
    }
}

impl JobContext {
    /// The identity of the run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The name of the job.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The name of the queue that the run was in: `default` where nothing is said.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// Which attempt of the run this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The nominal time of the slot the run is for; none when it was submitted.
    ///
    /// The run itself starts a little later, and much later after a wait in the pool: a job that works through
    /// "the hour that has just passed" takes its hour from here.
    #[must_use]
    pub fn slot(&self) -> Option<DateTime<Utc>> {
        self.slot.map(|slot| slot.at.to_chrono())
    }

    /// Whether the attempt started more than a minute after its slot was to fire: the slot was missed and is
    /// [made up for](Self::is_catch_up), the run waited for the pool or its predecessor, or it is tried again. Never of a
    /// run that was submitted.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.slot.is_some_and(|slot| slot.is_late(self.started))
    }

    /// Whether the slot passed while the machine slept or when the clock was set forward, and is made up for, as
    /// `missed` of its schedule says.
    ///
    /// A job that works through a time of its own takes it from [`slot`](Self::slot) and need not ask; one that reports
    /// the state of now may leave such a run out.
    #[must_use]
    pub fn is_catch_up(&self) -> bool {
        self.slot.is_some_and(|slot| slot.caught_up)
    }

    /// When the attempt started.
    #[must_use]
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started.to_chrono()
    }

    /// Whether the attempt has ended; a task that it has left behind may still hold its context.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn is_over(&self) -> bool {
        self.surroundings.signals.turn() != self.turn
    }

    /// Whether nobody wants the attempt any more: its run was cancelled, its time is up, a shutdown waits no longer, or its tokio
    /// runtime has ended. Also when the attempt is over.
    ///
    /// An async job need not ask: it is dropped where it awaits. A plain `fn` cannot be stopped, and one that takes
    /// long asks now and then and returns. What it returns still counts when its run was cancelled, and not when its
    /// time was up.
    ///
    /// ```
    /// # use jobs::{JobContext, job};
    /// #[job]
    /// fn reindex(cx: &JobContext) -> Result<(), String> {
    ///     for shelf in 0..1000 {
    ///         if cx.is_cancelled() {
    ///             return Err(format!("stopped before shelf {shelf}"));
    ///         }
    ///         // …
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let signals = &self.surroundings.signals;
        #[cfg(feature = "testing")]
        if self.surroundings.clock.is_virtual() && !signals.is_stopped(self.turn) {
            let (signals, turn) = (Arc::clone(signals), self.turn);
            super::asking::asked(Arc::clone(&self.surroundings.clock), move || signals.is_stopped(turn));
        }
        signals.is_stopped(self.turn)
    }

    /// Completes when [`is_cancelled`](Self::is_cancelled) begins to be true: for a plain `fn` that waits for a future,
    /// and for tasks that the job has spawned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting and nothing else.
    pub async fn cancelled(&self) {
        #[cfg(feature = "testing")]
        if self.surroundings.clock.is_virtual() && super::asking::is_plain() {
            while !self.is_cancelled() {
                tokio::task::yield_now().await;
            }
        }
        self.surroundings.signals.stopped(self.turn).await;
    }

    /// Says that the run is to be tried again when `wait` has passed, should this attempt return an error:
    /// [`jobs::retry_in`](crate::retry_in()), which has the rules, for this attempt.
    pub fn retry_in(&self, wait: Duration) -> Steered {
        self.steer(Steer::RetryIn(wait))
    }

    /// Says that the run is to be given up with a reason, should this attempt return an error:
    /// [`jobs::discard`](crate::discard()), which has the rules, for this attempt.
    pub fn discard(&self, reason: impl Into<String>) -> Steered {
        self.steer(Steer::discard(reason.into()))
    }

    /// Says how far the run is: [`jobs::progress`](crate::progress()), which has the rules, for this attempt.
    pub fn progress(&self, done: u64, total: u64) {
        self.surroundings.signals.lay(self.turn, |laid| laid.notes.progress = Some(Progress { done, total }));
    }

    /// Writes a line to the log of the run: [`jobs::log`](crate::log()), which has the rules, for this attempt.
    pub fn log(&self, text: impl Into<String>) {
        let Surroundings { signals, clock, .. } = &*self.surroundings;
        report::log_line(signals, clock, self.turn, text.into());
    }

    /// Keeps a value as what the run gives, for [`RunHandle::output`](crate::RunHandle::output), should the attempt
    /// succeed. A function with `#[job]` returns its value instead; this is for jobs that implement [`Job`](crate::Job) by
    /// hand. Said again, the last counts.
    pub fn output<T: Serialize + ?Sized>(&self, value: &T) {
        let output = Output::of(value);
        self.surroundings.signals.lay(self.turn, |laid| laid.notes.output = Some(output));
    }

    fn steer(&self, steer: Steer) -> Steered {
        self.surroundings.signals.steering.say(self.turn, steer.clone());
        Steered::said(steer)
    }

    /// The value of type `T` that was given to [`Config::state`](crate::Config::state), if there is one.
    ///
    /// A parameter `#[state] x: &T` is checked at start; this is for jobs that implement [`Job`](crate::Job) by
    /// hand.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.surroundings.state.get::<T>()
    }

    /// The value behind a `#[state]` parameter.
    #[doc(hidden)]
    #[must_use]
    pub fn __state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.state().expect("invariant: start has checked the state of every job")
    }

    /// Runs `f` on a thread that may block, as a part of this run.
    #[doc(hidden)]
    pub async fn __blocking(self, f: impl FnOnce(&Self) -> JobResult + Send + 'static) -> JobResult {
        let span = tracing::Span::current();
        let call = Arc::<Call>::default();
        let called = Arc::clone(&call);
        let task = tokio::task::spawn_blocking(move || {
            // It may have waited long for a thread. Once it has begun, nothing stops it.
            if !self.surroundings.signals.begin(self.turn, &called) {
                return;
            }
            let host = self.surroundings.host.clone();
            let surroundings = Arc::clone(&self.surroundings);
            let work = || f(&self);
            #[cfg(feature = "testing")]
            let work = || super::asking::scope(work);
            let work = || {
                let returning = panics::catch(|| span.in_scope(work));
                if let Some((heir, returning)) = called.returned(returning) {
                    span.in_scope(|| heir(returning));
                }
            };
            ambient::sync_scope(host, || ambient::sync_attempt_scope(surroundings, work));
        });
        // One that still waits for a thread when nobody wants it any more need not be kept.
        let task = AbortOnDrop(task).await;
        let error = match (task, call.take()) {
            (_, Some(Ok(result))) => return result,
            (_, Some(Err(panic))) => panic.resume(),
            (Ok(()), None) => Panic::not_begun().resume(),
            (Err(error), None) => error,
        };
        match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            // The runtime is going away and has not started the function: the run ends with it.
            Err(_) => std::future::pending().await,
        }
    }
}

/// A task that is taken out of the line for a thread when nobody waits for it. One that has begun goes on.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("id", &self.id)
            .field("job", &self.job())
            .field("attempt", &self.attempt)
            .field("slot", &self.slot())
            .finish_non_exhaustive()
    }
}
