//! One attempt of one job, by itself.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::starting::{self, Starting};
use super::submitted::Submissions;
use super::test_jobs::PATIENCE;
use crate::clock::Timestamp;
use crate::runtime::{Preset, RunHandle};
use crate::{Config, Job, Outcome};

/// Makes one attempt of one job, with a context, its states and its timeout, and nothing else: no schedule fires, no
/// other job runs, and what the job submits is recorded and not run. Awaiting it makes the attempt. Where the config names a
/// PostgreSQL server, that is left alone: the attempt is made on memory.
///
/// A function with `#[job]` can also be called as it is; this is for what it tells the context, for what it submits,
/// and for its panics and timeouts.
///
/// ```standalone_crate
/// use jobs::{BoxError, JobContext, job, testing};
/// use std::time::Duration;
///
/// #[job]
/// async fn welcome(cx: &JobContext, to: String) -> Result<(), BoxError> {
///     if cx.attempt() < 3 {
///         return Err(cx.retry_in(Duration::from_secs(60)).into());
///     }
///     jobs::after(Duration::from_secs(86_400), remind { to }).await?;
///     Ok(())
/// }
///
/// #[job]
/// async fn remind(to: String) {}
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let to = || "ada@example.org".to_owned();
///
/// let first = testing::run(welcome { to: to() }).await;
/// assert_eq!(first.outcome().as_str(), "failed");
/// assert_eq!(first.retry_in(), Some(Duration::from_secs(60)));
///
/// let third = testing::run(welcome { to: to() }).attempt(3).await;
/// assert!(third.outcome().is_success());
/// third.submissions().assert_has(&remind { to: to() });
/// # });
/// ```
///
/// # Panics
///
/// When awaited: with the error of a config that has mistakes or lacks a state; in a runtime with several threads;
/// when the attempt takes more than a day of virtual time.
#[track_caller]
pub fn run<J: Job>(job: J) -> SingleRun<J> {
    SingleRun {
        job,
        config: Config::default(),
        at: starting::START,
        attempt: 1,
        slot: None,
        seed: 0,
        place: Location::caller(),
    }
}

/// One attempt in the making: awaiting it gives what [`Finished`].
#[must_use = "nothing is run until this is awaited"]
pub struct SingleRun<J> {
    job: J,
    config: Config,
    at: DateTime<Utc>,
    attempt: u32,
    slot: Option<DateTime<Utc>>,
    seed: u64,
    place: &'static Location<'static>,
}

impl<J: Job> SingleRun<J> {
    /// The config: what it says about the job holds, and its states are there. Call it before [`state`](Self::state).
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// A value for a `#[state]` parameter: [`Config::state`].
    #[track_caller]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.config = self.config.state(value);
        self
    }

    /// What the clock on the wall shows when the attempt starts.
    pub fn at(mut self, instant: DateTime<Utc>) -> Self {
        self.at = instant;
        self
    }

    /// Which attempt of the run it is, from 1, the default.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The nominal time of the slot that the run is for. Default: none, it was submitted.
    pub fn slot(mut self, slot: DateTime<Utc>) -> Self {
        self.slot = Some(slot);
        self
    }

    /// The seed of what is random in `jobs`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    async fn run(self) -> Finished {
        let Self { job, config, at, attempt, slot, seed, place } = self;
        let linked = J::__descriptor().map(|descriptor| descriptor.name);
        let starting = Starting::isolated(config, linked, place).at(at).seed(seed);
        let test = starting.await;
        // So that what the attempt leaves can be looked at: its run is not tried again.
        test.jobs().stop_firing();
        let preset = Preset { attempt, slot: slot.map(Timestamp::from_chrono) };
        let handle = test
            .jobs()
            .submit_preset(job, preset)
            .unwrap_or_else(|error| panic!("`{}` cannot be run at {place}: {error}", J::NAME));
        let outcome = first_end(&handle, place).await;
        let took = handle.attempts().last().map_or(Duration::ZERO, |attempt| {
            (attempt.finished_at - attempt.started_at).to_std().unwrap_or_default()
        });
        let retry_in = test.jobs().waits_for(&handle);
        let submissions = test.submissions();
        test.shutdown().await;
        Finished { outcome, took, retry_in, submissions, handle }
    }
}

/// What the first attempt that is made of a run comes to.
async fn first_end(handle: &RunHandle, place: &Location<'_>) -> Outcome {
    let (mut waited, mut step) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        if let Ok(outcome) = tokio::time::timeout(step, handle.wait()).await {
            return outcome;
        }
        if let Some(attempt) = handle.attempts().pop() {
            return attempt.outcome;
        }
        waited += step;
        assert!(waited < PATIENCE, "the attempt at {place} has not ended within a day");
        step = (step * 2).min(Duration::from_secs(1));
    }
}

impl<J: Job> IntoFuture for SingleRun<J> {
    type Output = Finished;
    type IntoFuture = Pin<Box<dyn Future<Output = Finished> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<J> fmt::Debug for SingleRun<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleRun")
            .field("at", &self.at)
            .field("attempt", &self.attempt)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

/// What one attempt came to.
#[derive(Debug)]
pub struct Finished {
    outcome: Outcome,
    took: Duration,
    retry_in: Option<Duration>,
    submissions: Submissions,
    handle: RunHandle,
}

impl Finished {
    /// What the attempt came to.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// How long it took, in virtual time.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// After which wait the run would be tried again; none where it would not.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }

    /// What it has submitted. None of that was run.
    #[must_use]
    pub fn submissions(&self) -> &Submissions {
        &self.submissions
    }

    /// The run, for what else it has left: [`RunHandle::output`], [`RunHandle::attempts`], [`RunHandle::log`],
    /// [`RunHandle::progress`].
    #[must_use]
    pub fn handle(&self) -> &RunHandle {
        &self.handle
    }

    /// Checks that the attempt succeeded.
    ///
    /// # Panics
    ///
    /// When it did not, with what it came to.
    #[track_caller]
    pub fn assert_succeeded(&self) {
        assert!(self.outcome.is_success(), "the attempt {}", self.outcome);
    }
}
