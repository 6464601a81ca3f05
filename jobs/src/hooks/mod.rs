//! What the program hangs onto the life of its jobs: listeners for events, and functions around and after attempts.

pub(crate) mod bus;
pub(crate) mod event;

pub use bus::Events;
pub use event::{
    Event, Follows, JobChange, JobEvent, RunChange, RunEvent, ScheduleChange, ScheduleEvent, ShutdownPhase,
};

/// Everything that is hung onto one instance.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) bus: bus::Bus,
}
