//! What does not change about a job while the program runs.

use jobs_syntax::Overlap;

use super::descriptor::Descriptor;
use super::name::JobName;
use super::options::{AttemptOptions, Limits};

/// What does not change about a job while the program runs.
#[derive(Debug, Clone)]
pub(crate) struct JobInfo {
    pub(crate) name: JobName,
    /// What `#[job]` wrote down; none for closures and for jobs implemented by hand.
    pub(crate) descriptor: Option<&'static Descriptor>,
    pub(crate) overlap: Overlap,
    pub(crate) attempts: AttemptOptions,
    pub(crate) limits: Limits,
    pub(crate) enabled: bool,
    /// The job is a closure: others may go by its name.
    pub(crate) is_func: bool,
}

impl JobInfo {
    /// Whether two that go by one name are one job: a linked one and itself, or closures.
    pub(crate) fn is_same_job(&self, other: &Self) -> bool {
        match (self.descriptor, other.descriptor) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, None) => self.is_func && other.is_func,
            _ => false,
        }
    }
}
