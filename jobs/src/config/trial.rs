//! What a test wants of an instance.

use std::sync::Arc;

use crate::job::probe::Probe;

/// What a test wants of an instance.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trial {
    pub(crate) probe: Arc<Probe>,
    /// The jobs that take part, by name; none is all of them.
    pub(crate) only: Option<Vec<String>>,
    /// No schedule fires and no start-up job runs.
    pub(crate) quiet: bool,
    /// It is for one attempt of one job, which nobody shares.
    pub(crate) isolated: bool,
}

impl Trial {
    /// Whether the job needs its states.
    pub(crate) fn takes_part(&self, job: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == job))
    }
}
