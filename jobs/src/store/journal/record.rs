//! A run as it is written down, and read back.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::job::attempt::AttemptRecord;
use crate::job::name::JobName;
use crate::job::notes::Notes;
use crate::job::options::Origin;
use crate::job::run::{Outcome, RunId};
use crate::job::slot::Slot;
use crate::store::slab::Key;

/// A run as it is written down.
#[derive(Debug, Clone)]
pub(crate) struct RunRecord {
    pub(crate) id: RunId,
    pub(crate) job: JobName,
    pub(crate) state: Recorded,
    pub(crate) origin: Origin,
    /// How many attempts have begun.
    pub(crate) attempt: u32,
    pub(crate) retries: u32,
    pub(crate) queue: JobName,
    pub(crate) priority: i8,
    pub(crate) slot: Option<Slot>,
    /// The schedule that has made it, in this process.
    pub(crate) schedule: Option<Key>,
    /// The schedule waits for its end.
    pub(crate) is_awaited: bool,
    /// As JSON; none where they are written already.
    pub(crate) arguments: Option<Box<str>>,
    /// None of a run that has nothing to tell.
    pub(crate) details: Option<Details>,
}

/// The state of a run as it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    Scheduled { due: Timestamp },
    Waiting,
    Available { since: Timestamp },
    Running { started: Timestamp },
    Ended { started: Timestamp, finished: Timestamp },
}

/// What only few runs have.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<AttemptRecord>,
    /// What it came to, unless it succeeded.
    #[serde(with = "crate::job::run::optional_outcome", skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Notes::is_empty")]
    pub(crate) notes: Notes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_of: Option<RunId>,
    /// Who asked for it on the status page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requested_by: Option<Box<str>>,
    /// What it stands for others by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unique: Option<Unique>,
    /// How often the process has ended while it ran.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) rescued: u32,
}

impl Details {
    #[cfg(feature = "postgres")]
    pub(crate) fn is_empty(&self) -> bool {
        let Self { failures, outcome, notes, retry_of, requested_by, unique, rescued } = self;
        failures.is_empty()
            && outcome.is_none()
            && notes.is_empty()
            && retry_of.is_none()
            && requested_by.is_none()
            && unique.is_none()
            && *rescued == 0
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What submissions have in common that are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unique {
    pub(crate) arguments: Box<str>,
    /// The length of the window in nanoseconds, and its number.
    pub(crate) window: Option<(u64, i64)>,
}
