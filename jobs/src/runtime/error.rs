//! Why something could not be started, submitted, scheduled or steered.

use std::fmt;

use crate::error::{Problem, ProblemList};
use crate::job::run::RunId;
use crate::job::snapshot::RunState;
use crate::schedule::ScheduleError;

/// Why an instance could not be started, or could not take another config: all mistakes at once, each with its place and its fix.
///
/// `Display` and `Debug` both write the whole text, so that a `main` that returns the error prints it readably.
pub struct StartError {
    problems: Vec<Problem>,
    startup: Option<&'static str>,
    /// The instance runs already.
    reload: bool,
}

impl StartError {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems, startup: None, reload: false }
    }

    /// A running instance cannot take another config.
    pub(super) fn reload(problems: Vec<Problem>) -> Self {
        Self { problems, startup: None, reload: true }
    }

    pub(super) fn into_reload(self) -> Self {
        Self { reload: true, ..self }
    }

    /// A blocking start-up job came to an end other than success.
    pub(crate) fn startup(job: &'static str, problem: Problem) -> Self {
        Self { problems: vec![problem], startup: Some(job), reload: false }
    }

    /// The mistakes; there is one at least.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The start-up job that failed; none when nothing was started.
    #[must_use]
    pub fn startup_job(&self) -> Option<&'static str> {
        self.startup
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = if self.reload { "jobs cannot take the config" } else { "jobs cannot start" };
        ProblemList { heading, problems: &self.problems }.fmt(f)
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StartError {}

/// Why something could not be submitted, scheduled or steered.
#[derive(Debug, Clone)]
pub struct SubmitError(Box<SubmitErrorKind>);

#[derive(Debug, Clone)]
enum SubmitErrorKind {
    NotStarted,
    Several(usize),
    ShutDown,
    /// With the nearest name, or else with all.
    UnknownJob {
        name: String,
        near: Option<String>,
        known: Vec<String>,
    },
    /// The same of a queue.
    UnknownQueue {
        name: String,
        near: Option<String>,
        known: Vec<String>,
    },
    NoDefault {
        name: String,
    },
    BadArguments {
        name: String,
        why: String,
    },
    NameTaken {
        name: String,
    },
    BadName {
        rendered: String,
    },
    UnknownRun(RunId),
    LiveRun(RunId, RunState),
    NoArguments(RunId),
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "what is in memory need not be written"))]
    NotWritten {
        why: String,
    },
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "it is a server that answers"))]
    NotAnswered {
        why: String,
    },
    BadOption {
        message: String,
    },
    RefusedSchedule(Problem),
    Schedule(ScheduleError),
}

impl SubmitError {
    pub(crate) fn not_started() -> Self {
        Self(Box::new(SubmitErrorKind::NotStarted))
    }

    pub(crate) fn several(count: usize) -> Self {
        Self(Box::new(SubmitErrorKind::Several(count)))
    }

    pub(crate) fn shut_down() -> Self {
        Self(Box::new(SubmitErrorKind::ShutDown))
    }

    /// `known` are the names and aliases of all jobs.
    pub(crate) fn unknown_job(name: &str, known: &[&str]) -> Self {
        let (near, known) = near_or_known(name, known);
        Self(Box::new(SubmitErrorKind::UnknownJob { name: name.to_owned(), near, known }))
    }

    /// `known` are the names of all queues.
    pub(crate) fn unknown_queue(name: &str, known: &[&str]) -> Self {
        let (near, known) = near_or_known(name, known);
        Self(Box::new(SubmitErrorKind::UnknownQueue { name: name.to_owned(), near, known }))
    }

    pub(crate) fn no_default(name: &str) -> Self {
        Self(Box::new(SubmitErrorKind::NoDefault { name: name.to_owned() }))
    }

    pub(crate) fn bad_arguments(name: &str, why: String) -> Self {
        Self(Box::new(SubmitErrorKind::BadArguments { name: name.to_owned(), why }))
    }

    pub(crate) fn name_taken(name: &str) -> Self {
        Self(Box::new(SubmitErrorKind::NameTaken { name: name.to_owned() }))
    }

    pub(crate) fn bad_name(rendered: String) -> Self {
        Self(Box::new(SubmitErrorKind::BadName { rendered }))
    }

    pub(crate) fn unknown_run(id: RunId) -> Self {
        Self(Box::new(SubmitErrorKind::UnknownRun(id)))
    }

    pub(crate) fn live_run(id: RunId, state: RunState) -> Self {
        Self(Box::new(SubmitErrorKind::LiveRun(id, state)))
    }

    pub(crate) fn no_arguments(id: RunId) -> Self {
        Self(Box::new(SubmitErrorKind::NoArguments(id)))
    }

    /// The runs of a closure belong to its process, and cannot come and go with a transaction.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn closure(name: &str) -> Self {
        Self::bad_option(format!(
            "`{name}` is a closure, whose runs belong to this process and are not in the database\n\
             help: make it a function with `#[job]`, or submit it after the commit"
        ))
    }

    /// What the submission says of its run cannot be.
    pub(crate) fn bad_option(message: String) -> Self {
        Self(Box::new(SubmitErrorKind::BadOption { message }))
    }

    pub(crate) fn refused_schedule(problem: Problem) -> Self {
        Self(Box::new(SubmitErrorKind::RefusedSchedule(problem)))
    }

    pub(crate) fn schedule(error: ScheduleError) -> Self {
        Self(Box::new(SubmitErrorKind::Schedule(error)))
    }

    /// The run was accepted, and could not be made safe.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn not_written(why: &str) -> Self {
        Self(Box::new(SubmitErrorKind::NotWritten { why: why.to_owned() }))
    }

    /// The server was asked, and it is not known what it has made of that.
    #[cfg(feature = "postgres")]
    pub(crate) fn not_answered(why: &str) -> Self {
        Self(Box::new(SubmitErrorKind::NotAnswered { why: why.to_owned() }))
    }

    /// Whether a durable store could not write the run, or refused to. It was taken back; on SQLite, one that had started
    /// already may have done its work. Submitted again, it may so be done twice.
    #[must_use]
    pub fn is_not_written(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::NotWritten { .. })
    }

    /// Whether a server was asked and has not answered, so that it is **not known** whether the run was accepted, or a wish such
    /// as a pause was done; after any other error it was not, but for what [`is_not_written`](Self::is_not_written) says. It only happens in a cluster: a submission waits for the server
    /// for as long as the process does, and ends like this when that shuts down before.
    ///
    /// Submitted again, the run may be there twice. One with [`unique`](crate::Submission::unique) is there once while it is
    /// live, and [`Jobs::runs`](crate::Jobs::runs) tells of it. Pauses and the like can be asked for again.
    #[must_use]
    pub fn is_not_answered(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::NotAnswered { .. })
    }

    /// Whether there was no instance to submit to.
    #[must_use]
    pub fn is_not_started(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::NotStarted)
    }

    /// Whether several instances run and the call did not say which it means.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::Several(_))
    }

    /// Whether the instance is shutting down or has ended.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::ShutDown)
    }

    /// Whether a job was named that does not exist.
    #[must_use]
    pub fn is_unknown_job(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::UnknownJob { .. })
    }

    /// Whether a run was named that is not known here, or not kept any more.
    #[must_use]
    pub fn is_unknown_run(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::UnknownRun(_))
    }

    /// Whether a run was named that cannot be made once more, for it has not ended or its arguments are not kept.
    #[must_use]
    pub fn is_not_retried(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::LiveRun(..) | SubmitErrorKind::NoArguments(_))
    }

    /// Whether a queue was named that does not exist.
    #[must_use]
    pub fn is_unknown_queue(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::UnknownQueue { .. })
    }

    /// Whether arguments that were written in JSON are not those of the job, or arguments cannot be kept by a durable store: they cannot
    /// be written as JSON, or take more than 1 MiB.
    #[must_use]
    pub fn is_bad_arguments(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::BadArguments { .. })
    }

    /// Whether the name of a job cannot be one, or belongs to another job.
    #[must_use]
    pub fn is_bad_name(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::NameTaken { .. } | SubmitErrorKind::BadName { .. })
    }

    /// Whether the queue, the priority or the time of the submission cannot be one.
    #[must_use]
    pub fn is_bad_option(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::BadOption { .. })
    }

    /// Whether the schedule has a mistake or a zone that it does not take, or its name is not in the config.
    #[must_use]
    pub fn is_schedule(&self) -> bool {
        matches!(*self.0, SubmitErrorKind::Schedule(_) | SubmitErrorKind::RefusedSchedule(_))
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            SubmitErrorKind::NotStarted => {
                f.write_str("no instance of jobs is running; call `jobs::start(config).await` first")
            }
            SubmitErrorKind::Several(count) => write!(
                f,
                "{count} instances of jobs are running, and the call does not say which it means; \
                 call the method of the handle that `jobs::start` gave, or run the code in `Jobs::scope`"
            ),
            SubmitErrorKind::ShutDown => f.write_str("this instance of jobs has been shut down"),
            SubmitErrorKind::UnknownJob { name, near, known } => {
                match name.as_str() {
                    "" => f.write_str("the name of the job is empty")?,
                    name => write!(f, "no job is named `{}`", name.escape_debug())?,
                }
                f.write_str(&suggested(near.as_deref(), known))
            }
            SubmitErrorKind::UnknownQueue { name, near, known } => {
                match name.as_str() {
                    "" => f.write_str("the name of the queue is empty")?,
                    name => write!(f, "no queue is named `{}`", name.escape_debug())?,
                }
                f.write_str(&suggested(near.as_deref(), known))
            }
            SubmitErrorKind::NoDefault { name } => write!(
                f,
                "the job `{name}` has arguments without a value; submit it with `jobs.now({name} {{ … }})`, \
                 or give its parameters `#[default = …]`"
            ),
            SubmitErrorKind::BadArguments { name, why } => write!(f, "the arguments of `{name}`: {why}"),
            SubmitErrorKind::NameTaken { name } => {
                write!(f, "the name `{name}` belongs to another job; give this one a name of its own")
            }
            SubmitErrorKind::UnknownRun(id) => {
                write!(
                    f,
                    "no run `{id}` is known here; it may have ended so long ago that it is not kept any more"
                )
            }
            SubmitErrorKind::LiveRun(id, state) => {
                write!(f, "the run `{id}` is {state}; cancel it first, or wait until it has ended")
            }
            SubmitErrorKind::NoArguments(id) => write!(
                f,
                "the arguments of the run `{id}` are not kept: those of a closure and of what succeeded long \
                 ago are not; submit it anew"
            ),
            SubmitErrorKind::BadName { rendered } => f.write_str(rendered),
            SubmitErrorKind::BadOption { message } => f.write_str(message),
            SubmitErrorKind::NotWritten { why } => write!(f, "the store cannot be written: {why}"),
            SubmitErrorKind::NotAnswered { why } => {
                write!(
                    f,
                    "the server has not answered, and may or may not have done what it was asked: {why}"
                )
            }
            SubmitErrorKind::RefusedSchedule(problem) => problem.fmt(f),
            SubmitErrorKind::Schedule(error) => error.fmt(f),
        }
    }
}

/// The nearest of the names that there are, or else all of them.
fn near_or_known(name: &str, known: &[&str]) -> (Option<String>, Vec<String>) {
    match jobs_syntax::nearest(name, known.iter().copied()) {
        Some(near) => (Some(near.to_owned()), Vec::new()),
        None => (None, known.iter().map(|name| (*name).to_owned()).collect()),
    }
}

fn suggested(near: Option<&str>, known: &[String]) -> String {
    near.map_or_else(|| listed(known), |near| format!("; did you mean `{near}`?"))
}

/// The names that there are, as the end of a message; of many the first.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "; there are no jobs".to_owned(),
        count if count > SHOWN => format!("; there are {} and {} more", shown.join(", "), count - SHOWN),
        _ => format!("; there are {}", shown.join(", ")),
    }
}

impl std::error::Error for SubmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            SubmitErrorKind::Schedule(error) => error.source(),
            _ => None,
        }
    }
}
