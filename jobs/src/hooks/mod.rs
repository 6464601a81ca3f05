//! What the program hangs onto the life of its jobs: listeners for events, and functions around and after attempts.

pub(crate) mod bus;
pub(crate) mod event;
pub(crate) mod failure;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
pub(crate) mod middleware;
#[cfg(feature = "prometheus")]
pub(crate) mod prometheus;

use std::fmt;
use std::sync::Arc;

pub use bus::Events;
pub use event::{
    Event, Follows, JobChange, JobEvent, QueueChange, QueueEvent, RunChange, RunEvent, ScheduleChange,
    ScheduleEvent, ShutdownPhase, SlotEvent,
};
pub use failure::Failure;
use failure::OnFailure;
use middleware::Middleware;
pub use middleware::Next;

/// Everything that is hung onto one instance.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) bus: bus::Bus,
    pub(crate) attempts: AttemptHooks,
}

impl Hooks {
    pub(crate) fn new(attempts: AttemptHooks) -> Self {
        Self { bus: bus::Bus::default(), attempts }
    }
}

/// The functions of the program around and after attempts, each kind in the order in which they were given.
#[derive(Clone)]
pub(crate) struct AttemptHooks {
    pub(crate) middleware: Arc<[Arc<dyn Middleware>]>,
    pub(crate) on_failure: Arc<[Arc<OnFailure>]>,
}

impl AttemptHooks {
    pub(crate) fn add_middleware(&mut self, middleware: Arc<dyn Middleware>) {
        self.middleware = self.middleware.iter().cloned().chain([middleware]).collect();
    }

    pub(crate) fn add_on_failure(&mut self, on_failure: Arc<OnFailure>) {
        self.on_failure = self.on_failure.iter().cloned().chain([on_failure]).collect();
    }
}

impl Default for AttemptHooks {
    fn default() -> Self {
        Self { middleware: Arc::new([]), on_failure: Arc::new([]) }
    }
}

/// How many there are: functions have nothing to show.
impl fmt::Debug for AttemptHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptHooks")
            .field("middleware", &self.middleware.len())
            .field("on_failure", &self.on_failure.len())
            .finish()
    }
}
