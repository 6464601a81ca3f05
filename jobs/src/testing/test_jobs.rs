//! The handle of a test.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::submitted::Submissions;
use super::{Fault, TestClock};
use crate::job::asking;
use crate::job::probe::Probe;
use crate::{Job, JobSnapshot, Jobs, ShutdownReport, Snapshot};

/// How much virtual time a test waits for runs that do not end.
pub(super) const PATIENCE: Duration = Duration::from_secs(86_400);

/// A whole scheduler on virtual time, made by [`start`](super::start()). It is a [`Jobs`], and has beside its methods
/// those that only a test wants.
///
/// | to … | |
/// |---|---|
/// | move the time | [`advance`](Self::advance), [`advance_to`](Self::advance_to), [`settle`](Self::settle), [`idle`](Self::idle), [`pass`](Self::pass), [`still`](Self::still) |
/// | do to the clock what happens to clocks | [`step`](Self::step), [`suspend`](Self::suspend) |
/// | ask what was submitted | [`submitted`](Self::submitted), [`assert_submitted`](Self::assert_submitted), [`assert_not_submitted`](Self::assert_not_submitted) |
/// | ask what a job did | [`job`](Self::job) |
/// | ask what became of its slots | [`slots`](Self::slots), [`assert_ran`](Self::assert_ran), [`assert_slots`](Self::assert_slots) |
/// | let go of what is held | [`release`](Self::release) |
/// | let something go wrong | [`inject`](Self::inject), [`kill_scheduler`](Self::kill_scheduler) |
///
/// It need not be shut down: it ends with the runtime of its test. [`finish`](Self::finish) shuts it down and
/// asserts that nothing was left undone.
pub struct TestJobs {
    jobs: Jobs,
    clock: TestClock,
    probe: Arc<Probe>,
}

impl TestJobs {
    pub(super) fn new(jobs: Jobs, clock: TestClock, probe: Arc<Probe>) -> Self {
        jobs.enter_test();
        Self { jobs, clock, probe }
    }

    /// The handle that the program has.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// The clock it runs on.
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// What the clock on the wall shows.
    #[must_use]
    pub fn now_utc(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    // Time.

    /// Lets time pass: [`TestClock::advance`].
    pub async fn advance(&self, by: Duration) {
        self.jobs.look_around();
        self.clock.advance(by).await;
    }

    /// Lets time pass until the clock on the wall shows this instant: [`TestClock::advance_to`].
    pub async fn advance_to(&self, instant: DateTime<Utc>) {
        self.jobs.look_around();
        self.clock.advance_to(instant).await;
    }

    /// Lets everything happen that is due now: a millisecond passes.
    pub async fn settle(&self) {
        self.advance(Duration::ZERO).await;
    }

    /// Lets time pass although a plain `fn` runs, beside which it stands still else: for its timeout, and for a shutdown that
    /// does not wait for it. It passes in steps of a millisecond, or of a ten-thousandth of it where that is more, and whatever
    /// comes due is done at the end of a step.
    ///
    /// ```standalone_crate
    /// # use jobs::{Config, Outcome, job, testing};
    /// # use std::time::Duration;
    /// #[job(timeout = "30s", retries = 0)]
    /// fn import(#[state] steps: &std::sync::mpsc::SyncSender<()>) {
    ///     steps.send(()).unwrap(); // it has begun
    ///     steps.send(()).unwrap(); // and goes on for as long as the test wants
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let (steps, step) = std::sync::mpsc::sync_channel::<()>(0);
    /// let test = testing::start(Config::default().state(steps)).await;
    /// let run = test.now(import {}).await.unwrap();
    /// while step.try_recv().is_err() {
    ///     tokio::task::yield_now().await;
    /// }
    /// test.pass(Duration::from_secs(31)).await;
    /// step.recv().unwrap();
    /// assert_eq!(run.wait().await.as_str(), "timed out");
    /// # });
    /// ```
    pub async fn pass(&self, by: Duration) {
        asking::pass(self.jobs.clock(), by, || false).await;
    }

    /// Lets time pass until nothing is queued and nothing runs. What is delayed, waits to be tried again, or is held is
    /// not waited for.
    ///
    /// # Panics
    ///
    /// When runs go on for a day of virtual time, with the table of jobs.
    pub async fn idle(&self) {
        let (mut waited, mut step) = (Duration::ZERO, Duration::from_millis(1));
        self.settle().await;
        while !self.jobs.is_at_rest().await {
            assert!(waited < PATIENCE, "jobs do not come to rest within a day:\n{}", self.snapshot());
            tokio::time::sleep(step).await;
            waited += step;
            step = (step * 2).min(Duration::from_secs(1));
        }
    }

    /// Lets time stand still while something outside is waited for: [`TestClock::still`].
    pub async fn still<T>(&self, future: impl Future<Output = T>) -> T {
        self.clock.still(future).await
    }

    /// Sets the clock on the wall forward or back: [`TestClock::step`].
    pub async fn step(&self, by: TimeDelta) {
        self.clock.step(by).await;
    }

    /// Lets the machine sleep: [`TestClock::suspend`].
    pub async fn suspend(&self, by: Duration) {
        self.clock.suspend(by).await;
    }

    // Jobs.

    /// What every job is doing: [`Jobs::snapshot`]. On PostgreSQL, where that tells of one process, this tells of all that share
    /// the schema.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.jobs.whole_snapshot()
    }

    /// What a job is doing, its last run, and how many slots of its schedules ran, were skipped, were missed: its part of the
    /// [`snapshot`](Jobs::snapshot).
    ///
    /// # Panics
    ///
    /// When no job has this name.
    #[must_use]
    #[track_caller]
    pub fn job(&self, name: &str) -> JobSnapshot {
        self.assert_known(name);
        let snapshot = self.snapshot();
        snapshot.job(name).cloned().unwrap_or_else(|| unreachable!("invariant: jobs are never forgotten"))
    }

    #[track_caller]
    pub(super) fn assert_known(&self, job: &str) -> String {
        self.jobs.known_name(job).unwrap_or_else(|| {
            let snapshot = self.jobs.snapshot();
            let names: Vec<_> = snapshot.jobs.iter().map(|job| job.name.as_str()).collect();
            panic!(
                "no job is named `{job}`; there are {names:?}, and a closure when it has been submitted once"
            );
        })
    }

    // Submissions.

    /// What was submitted since the start, or since the last [`clear`](Submissions::clear), also from inside jobs.
    #[must_use]
    pub fn submissions(&self) -> Submissions {
        Submissions::new(Arc::clone(&self.probe))
    }

    /// The submissions of one job: [`Submissions::of`].
    #[must_use]
    #[track_caller]
    pub fn submitted<J: Job>(&self) -> Vec<super::Submitted<J>> {
        self.submissions().of()
    }

    /// Checks that a job was submitted with these arguments: [`Submissions::assert_has`].
    ///
    /// # Panics
    ///
    /// When it was not, with what was submitted in its place.
    #[track_caller]
    pub fn assert_submitted<J: Job>(&self, job: &J) {
        self.submissions().assert_has(job);
    }

    /// Checks that a job was not submitted, whatever its arguments: [`Submissions::assert_none_of`].
    ///
    /// # Panics
    ///
    /// When it was, with its arguments.
    #[track_caller]
    pub fn assert_not_submitted<J: Job>(&self) {
        self.submissions().assert_none_of::<J>();
    }

    /// Lets go of what is [held](super::Starting::hold), in the order in which it was submitted, and waits until it
    /// has been done; what is delayed goes on to wait for its time, where that has not passed. What is submitted from then on is held again. Says
    /// how many runs there were. What was submitted in a transaction that goes on stays held.
    pub async fn release(&self) -> usize {
        let count = self.jobs.let_go().await;
        self.idle().await;
        count
    }

    // Faults.

    /// Lets something go wrong with the next attempt of a job. Faults of one job strike one attempt after another, in the
    /// order in which they were injected.
    ///
    /// ```standalone_crate
    /// # use jobs::{Config, job, testing};
    /// use std::time::Duration;
    /// use jobs::testing::Fault;
    ///
    /// #[job(timeout = "30s", retries = 2)]
    /// async fn charge(order: u64) {}
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let test = testing::start(Config::default()).await;
    /// test.inject("charge", Fault::error("503"));
    /// test.inject("charge", Fault::Slow(Duration::from_secs(31)));
    ///
    /// let run = test.now(charge { order: 7 }).await.unwrap();
    /// assert!(run.wait().await.is_success());
    /// let attempts = run.attempts();
    /// let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    /// assert_eq!(outcomes, ["failed", "timed out", "succeeded"]);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// When no job has this name.
    #[track_caller]
    pub fn inject(&self, job: &str, fault: Fault) {
        self.probe.inject(&self.assert_known(job), fault);
    }

    /// Lets the task that fires schedules die the next time it fires something: [`kill_scheduler`](super::kill_scheduler).
    pub fn kill_scheduler(&self) {
        super::kill_scheduler(&self.jobs);
    }

    // The end.

    /// Shuts the instance down, and checks that everything that was accepted has been done.
    ///
    /// # Panics
    ///
    /// When it was not, with the report and the table of jobs before the shutdown.
    pub async fn finish(self) {
        let before = self.snapshot();
        let report: ShutdownReport = self.jobs.shutdown().await;
        assert!(
            report.is_clean(),
            "the test leaves something undone: {report}; before the shutdown:\n{before}"
        );
    }
}

impl Deref for TestJobs {
    type Target = Jobs;

    fn deref(&self) -> &Jobs {
        &self.jobs
    }
}

impl Drop for TestJobs {
    fn drop(&mut self) {
        self.jobs.leave_test();
    }
}

impl fmt::Debug for TestJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestJobs")
            .field("jobs", &self.jobs)
            .field("now", &self.now_utc())
            .finish_non_exhaustive()
    }
}
