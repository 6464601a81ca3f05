//! From a config to a scheduler on virtual time.

use std::panic::Location;
use std::pin::Pin;

use chrono::{DateTime, Utc};

use super::{TestClock, TestJobs, linked_jobs, paused};
use crate::Config;
use crate::config::Trial;

/// Monday, 5 January 2026, 00:00 UTC: where the clock of a test starts that says nothing else.
pub(super) const START: DateTime<Utc> = match DateTime::from_timestamp(1_767_571_200, 0) {
    Some(start) => start,
    None => unreachable!(),
};

/// Starts a whole scheduler on virtual time: everything that [`jobs::start`](crate::start()) does, with the time in the
/// test's hands. Awaiting it starts.
///
/// The clock shows Monday, 5 January 2026, 00:00 UTC, or what [`at`](Starting::at) says. Time that the test does not
/// let pass by [`advance`](TestJobs::advance), or by awaiting something, does not pass. Environment variables are not
/// looked at, unless the config has been [given some](Config::environment).
///
/// The test's own code belongs to the instance: [`jobs::now`](crate::now) and the like find it, also while other tests
/// run on other threads.
///
/// ```standalone_crate
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use jobs::{Config, testing};
///
/// let test = testing::start(Config::default()).at(testing::instant("2026-03-02 12:00")).seed(7).await;
/// # });
/// ```
///
/// # Panics
///
/// When awaited: with the error of a start that fails; in a runtime with several threads, whose time cannot be
/// paused.
#[track_caller]
pub fn start(config: Config) -> Starting {
    Starting {
        config,
        clock: None,
        start: START,
        seed: 0,
        trial: Trial::default(),
        place: Location::caller(),
    }
}

/// A scheduler on virtual time in the making: awaiting it gives the [`TestJobs`].
#[derive(Debug)]
#[must_use = "nothing is started until this is awaited"]
pub struct Starting {
    config: Config,
    clock: Option<TestClock>,
    start: DateTime<Utc>,
    seed: u64,
    trial: Trial,
    place: &'static Location<'static>,
}

impl Starting {
    /// One in which nothing runs but what is [preset](crate::Jobs::submit_preset).
    pub(super) fn isolated(config: Config, linked: Option<&str>, place: &'static Location<'static>) -> Self {
        let mut starting = Self { place, ..start(config) };
        starting.trial.only = Some(linked.into_iter().map(str::to_owned).collect());
        starting.trial.isolated = true;
        starting.quiet().hold()
    }

    /// What the clock on the wall shows at the start.
    pub fn at(mut self, start: DateTime<Utc>) -> Self {
        self.start = start;
        self
    }

    /// Runs on a clock that others run on as well, in the place of one of its own.
    pub fn clock(mut self, clock: &TestClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// The seed of everything that is random in `jobs`: the jitter of waits, and the identities of runs. Default: 0. On a
    /// [`clock`](Self::clock) that is given, the seed is the clock's.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Only these jobs take part, as if the program had no others: the schedules and start-up jobs of the others do
    /// nothing, and their states need not be given.
    pub fn only<S: Into<String>>(mut self, jobs: impl IntoIterator<Item = S>) -> Self {
        self.trial.only = Some(jobs.into_iter().map(Into::into).collect());
        self
    }

    /// No schedule of the program fires and no start-up job runs. What the test submits and schedules does.
    pub fn quiet(mut self) -> Self {
        self.trial.quiet = true;
        self
    }

    /// What is submitted, in a transaction of the program's as well, is recorded and waits, until [`TestJobs::release`]. Slots, start-up jobs and
    /// [`run_now`](crate::Jobs::run_now) are no submissions.
    pub fn hold(self) -> Self {
        self.trial.probe.hold(true);
        self
    }

    async fn start(self) -> TestJobs {
        let Self { config, clock, start, seed, trial, place } = self;
        paused::pause().await;
        let linked = linked_jobs();
        for name in trial.only.iter().flatten() {
            let known = linked.contains(&name.as_str()) || config.is_registered(name);
            assert!(
                known,
                "no job is named `{name}`, which {place} wants to take part; there are {linked:?}"
            );
        }
        let clock = clock.unwrap_or_else(|| TestClock::at(start).with_seed(seed));
        let probe = std::sync::Arc::clone(&trial.probe);
        match crate::start(config.clock(&clock).trial(trial)).await {
            Ok(jobs) => TestJobs::new(jobs, clock, probe),
            Err(error) => panic!("{error}\n(started at {place})"),
        }
    }
}

impl IntoFuture for Starting {
    type Output = TestJobs;
    type IntoFuture = Pin<Box<dyn Future<Output = TestJobs> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
