//! Puts the parts together: an instance of `jobs`, the handle to it, and what can be asked of it.

mod accepted;
mod arguments;
#[cfg(feature = "postgres")]
mod cluster;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod complete;
mod control;
#[cfg(feature = "sqlite")]
mod durable;
mod error;
mod events;
mod explain;
mod handle;
mod health;
#[cfg(feature = "web")]
pub(crate) mod in_force;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod in_tx;
mod instances;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod known;
mod ledger;
mod many;
#[cfg(any(feature = "postgres", feature = "web"))]
pub(crate) mod nodes;
mod order;
#[cfg(feature = "web")]
pub(crate) mod overview;
#[cfg(feature = "web")]
pub(crate) mod page;
mod queues;
mod reload;
mod runs;
mod scheduling;
mod shutdown;
mod signals;
mod snapshot;
mod start;
mod submission;
mod submit;
mod supervisor;
#[cfg(feature = "testing")]
mod trial;
mod unique;
#[cfg(feature = "web")]
pub(crate) mod wording;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::clock::{Clock, Timestamp};
use crate::config::Settings;
use crate::hooks::Hooks;
use crate::pool::Pool;
use crate::scheduler::planned::ScheduleKey;
use crate::scheduler::task::Scheduler;

pub use crate::scheduler::ledger::{Fate, Tally};
#[cfg(feature = "postgres")]
pub use cluster::postgres_schema;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use complete::CompleteError;
pub use error::{StartError, SubmitError};
pub use explain::{Explanation, Why};
pub use handle::RunHandle;
pub use health::{Condition, Health, Trouble};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use in_tx::StoreTransaction;
pub use ledger::{LedgerEntry, LedgerQuery};
pub use many::{SubmitMany, submit_many};
#[cfg(feature = "postgres")]
pub use nodes::{ClusterSnapshot, NodeSnapshot};
pub use queues::QueueSnapshot;
pub use reload::{Reloaded, ReloadedSchedule, ReloadedSetting, ScheduleMeaning};
#[cfg(feature = "web")]
pub(crate) use runs::Part;
pub use runs::RunQuery;
pub use scheduling::{ScheduleHandle, Scheduling};
pub use shutdown::ShutdownReport;
pub use snapshot::{
    JobSnapshot, JobStatus, PoolSnapshot, PreviousRun, ScheduleSnapshot, Snapshot, SourcePlace,
};
pub use start::start;
pub use submission::{Submission, Submitting, after, at, now};
pub use submit::Submit;
#[cfg(feature = "testing")]
pub(crate) use trial::Preset;

/// The handle to a running instance of `jobs`, made by [`start`](start()).
///
/// | to … | |
/// |---|---|
/// | submit | [`now`](Self::now), [`after`](Self::after), [`at`](Self::at) |
/// | schedule | [`schedule`](Self::schedule), [`every`](Self::every) |
/// | look | [`snapshot`](Self::snapshot), [`ledger`](Self::ledger), [`explain`](Self::explain), [`events`](Self::events), [`health`](Self::health) |
/// | steer a job by its name | [`run_now`](Self::run_now), [`pause`](Self::pause), [`resume`](Self::resume), [`remove`](Self::remove) |
/// | steer a queue | [`pause_queue`](Self::pause_queue), [`resume_queue`](Self::resume_queue) |
/// | take another config | [`reload`](Self::reload) |
/// | end | [`run_until_signal`](Self::run_until_signal), [`shutdown_signal`](Self::shutdown_signal), [`shutdown`](Self::shutdown) |
/// | say which of several instances is meant | [`scope`](Self::scope) |
///
/// Clones are handles to the same instance. Dropping them all stops nothing: [`shutdown`](Self::shutdown) does, and
/// the end of the tokio runtime.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    /// Another after a reload.
    settings: Mutex<Arc<Settings>>,
    declared: tokio::sync::Mutex<reload::Declared>,
    /// The zones of schedules that the program has added by a name of the config.
    zones: Mutex<HashMap<ScheduleKey, String>>,
    clock: Arc<Clock>,
    hooks: Arc<Hooks>,
    tasks: Arc<supervisor::Tasks>,
    pool: Arc<Pool>,
    scheduler: Arc<Scheduler>,
    /// What outlives the process; none on memory.
    #[cfg(feature = "sqlite")]
    durable: Option<Arc<durable::Durable>>,
    /// What it has as one of a cluster; none elsewhere.
    #[cfg(feature = "postgres")]
    cluster: OnceLock<Arc<cluster::Cluster>>,
    runtime: Handle,
    phase: watch::Sender<Phase>,
    /// Whether a signal to end has come that somebody waited for.
    #[cfg(feature = "web")]
    leaving: watch::Sender<bool>,
    /// When the shutdown began.
    shut_down_at: OnceLock<Timestamp>,
    scheduler_task: OnceLock<supervisor::Supervised>,
    /// The count of signals, once somebody has asked for it; none where none can be heard.
    signals: OnceLock<Option<watch::Receiver<u32>>>,
    /// Told when a shutdown is to wait no longer for what runs.
    cut_off: Notify,
    /// Runs that a test holds, and when they were to start.
    #[cfg(feature = "testing")]
    held: std::sync::Mutex<Vec<trial::Held>>,
}

/// How far an instance has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    ShuttingDown,
    Ended(ShutdownReport),
}

impl Inner {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Jobs {
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").field("phase", &*self.inner.phase.borrow()).finish_non_exhaustive()
    }
}
