//! What was submitted.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::job::probe::{Noted, Probe};
use crate::{Job, RunId};

/// A submission of a job, as it was made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Submitted<J> {
    /// The job with its arguments.
    pub job: J,
    /// The identity of the run.
    pub id: RunId,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// When the run is to start: the same, or later for `after` and `at`.
    pub due_at: DateTime<Utc>,
    /// Whether it stands for a run that was there already, since submissions of the job are
    /// [unique](crate::Submission::unique).
    pub is_duplicate: bool,
}

/// The submissions that an instance has accepted, from the test and from inside jobs, in their order. Runs of slots,
/// start-up jobs and [`run_now`](crate::Jobs::run_now) are not among them.
pub struct Submissions {
    probe: Arc<Probe>,
}

impl Submissions {
    pub(super) fn new(probe: Arc<Probe>) -> Self {
        Self { probe }
    }

    /// How many there are, of all jobs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.probe.noted(|noted| noted.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the jobs, one for each submission: closures have nothing else.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.probe.noted(|noted| noted.iter().map(|noted| noted.job.clone()).collect())
    }

    /// Those of one job, with their arguments.
    ///
    /// # Panics
    ///
    /// When the arguments cannot be read back from what they were written to.
    #[must_use]
    #[track_caller]
    pub fn of<J: Job>(&self) -> Vec<Submitted<J>> {
        let noted = self.noted_of(J::NAME);
        let read = |noted: Noted| Submitted {
            job: serde_json::from_value(noted.args.clone()).unwrap_or_else(|error| {
                panic!("the arguments of {} are not read back: {error}", shown(&noted))
            }),
            id: noted.id,
            submitted_at: noted.submitted.to_chrono(),
            due_at: noted.due.to_chrono(),
            is_duplicate: noted.duplicate,
        };
        noted.into_iter().map(read).collect()
    }

    /// Checks that a job was submitted with these arguments, at least once. They are compared as JSON.
    ///
    /// # Panics
    ///
    /// When it was not, with what was submitted in its place.
    #[track_caller]
    pub fn assert_has<J: Job>(&self, job: &J) {
        let wanted = args(job);
        if !self.noted_of(J::NAME).iter().any(|noted| noted.args == wanted) {
            panic!("`{}` was not submitted with {wanted}; {self}", J::NAME);
        }
    }

    /// Checks that a job was submitted exactly so many times, whatever its arguments.
    ///
    /// # Panics
    ///
    /// When it was not, with what was submitted.
    #[track_caller]
    pub fn assert_count_of<J: Job>(&self, count: usize) {
        let found = self.noted_of(J::NAME).len();
        assert!(found == count, "`{}` was submitted {found} times, not {count}; {self}", J::NAME);
    }

    /// Checks that a job was not submitted, whatever its arguments.
    ///
    /// # Panics
    ///
    /// When it was, with its arguments.
    #[track_caller]
    pub fn assert_none_of<J: Job>(&self) {
        let found = self.noted_of(J::NAME);
        assert!(found.is_empty(), "`{}` was submitted; {self}", J::NAME);
    }

    /// Forgets them all.
    pub fn clear(&self) {
        self.probe.noted(Vec::clear);
    }

    fn noted_of(&self, job: &str) -> Vec<Noted> {
        self.probe.noted(|noted| noted.iter().filter(|noted| noted.job == job).cloned().collect())
    }
}

/// `submitted was nothing`, or a line for each submission.
impl fmt::Display for Submissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.probe.noted(|noted| noted.iter().map(shown).collect::<Vec<_>>());
        if lines.is_empty() {
            return f.write_str("nothing was submitted");
        }
        f.write_str("submitted was:")?;
        lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Debug for Submissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[track_caller]
fn args<J: Job>(job: &J) -> Value {
    serde_json::to_value(job)
        .unwrap_or_else(|error| panic!("the arguments of `{}` cannot be written: {error}", J::NAME))
}

/// `send {"to":"ada"} at 2026-01-05 00:00:00, due 1m later`.
fn shown(noted: &Noted) -> String {
    let mut text = noted.job.clone();
    if !noted.args.is_null() {
        let _ = write!(text, " {}", noted.args);
    }
    let _ = write!(text, " at {}", noted.submitted.to_chrono().format("%Y-%m-%d %H:%M:%S%.f"));
    let later = noted.due.since(noted.submitted);
    if !later.is_zero() {
        let _ = write!(text, ", due {} later", jobs_syntax::format_duration(later));
    }
    if noted.duplicate {
        text.push_str(", a duplicate");
    }
    text
}
