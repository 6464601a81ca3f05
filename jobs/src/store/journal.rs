//! The seam to a store that outlives the process: what has changed, and who waits until that is written.
//!
//! The state machine in memory decides, and a store records what has become of its runs. A step of the state machine marks
//! the runs that it has changed, which costs it one branch where nothing is recorded. The recorder takes the marks and
//! reads each run as it is then: one that was submitted, claimed and finished meanwhile is written once.
//!
//! ```text
//!  a step ──mark──▶ Journal ──take_changes──▶ the recorder ──commit──▶ the store
//!                      │                                        │
//!  a submission ─request──────────▶ Commits ◀────committed──────┘
//! ```
//!
//! What is promised:
//!
//! - a run that was marked before [`Commits::request`] is written when the commit of that request is told;
//! - a run is read whole, between two steps; where it is read twice for one transaction, the later counts;
//! - of two runs that one step has changed, one may be written without the other, when the process ends between two
//!   transactions. Whoever reads them back decides anew which of them waits for which;
//! - closures and start-up jobs belong to their process and are not recorded.

mod commits;
mod record;

pub(crate) use commits::Commits;
#[cfg(feature = "sqlite")]
pub(crate) use commits::Failing;
pub(crate) use record::{Details, Recorded, RunRecord, Unique};

use std::sync::Arc;

use super::memory::RunKey;
use crate::job::run::RunId;

/// Marks what has changed since the recorder came last.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Runs, each once: it knows itself whether it is marked.
    pub(super) marked: Vec<RunKey>,
    /// Runs that are not kept any more.
    pub(super) gone: Vec<RunId>,
    /// What is paused has changed.
    pub(super) pauses: bool,
    /// The store is one that several processes share: what is to be tried again goes back there.
    pub(super) is_shared: bool,
    commits: Arc<Commits>,
}

impl Journal {
    pub(crate) fn new(commits: Arc<Commits>) -> Self {
        Self { marked: Vec::new(), gone: Vec::new(), pauses: false, is_shared: false, commits }
    }

    /// The journal of a process that shares the store with others.
    #[cfg(feature = "postgres")]
    pub(crate) fn shared(commits: Arc<Commits>) -> Self {
        Self { is_shared: true, ..Self::new(commits) }
    }

    pub(super) fn mark(&mut self, run: RunKey) {
        self.call();
        self.marked.push(run);
    }

    pub(super) fn forget(&mut self, run: RunId) {
        self.call();
        self.gone.push(run);
    }

    pub(super) fn mark_pauses(&mut self) {
        self.call();
        self.pauses = true;
    }

    /// Calls the recorder, once for all that is marked until it comes.
    fn call(&self) {
        if self.marked.is_empty() && self.gone.is_empty() && !self.pauses {
            self.commits.call();
        }
    }
}

/// What the recorder is to write.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) gone: Vec<RunId>,
    /// Everything that is paused, where that has changed.
    pub(crate) pauses: Option<Pauses>,
}

/// What is paused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pauses {
    /// Jobs, and since when.
    pub(crate) jobs: Vec<(String, crate::clock::Timestamp)>,
    pub(crate) queues: Vec<String>,
}
