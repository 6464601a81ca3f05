//! Which instance of `jobs`, and which attempt, the code that runs belongs to, carried along its task.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::signals::Signals;

/// What runs jobs, seen from below, which alone knows its type. It is not kept alive: what runs jobs holds the
/// state that they are given, and lets go of it when it has ended.
pub(crate) type Host = Weak<dyn Any + Send + Sync>;

tokio::task_local! {
    static HOST: Host;
    static SIGNALS: Arc<Signals>;
}

/// Runs a future whose free functions find `host`.
pub(crate) async fn scope<F: Future>(host: Host, future: F) -> F::Output {
    HOST.scope(host, future).await
}

/// Runs a function whose free functions find `host`.
pub(crate) fn sync_scope<R>(host: Host, f: impl FnOnce() -> R) -> R {
    HOST.sync_scope(host, f)
}

/// The host of the task or thread that asks.
pub(crate) fn current() -> Option<Host> {
    HOST.try_with(Weak::clone).ok()
}

/// Runs a future whose free functions steer the attempt with these signals: one after another, those of a worker.
pub(crate) async fn attempt_scope<F: Future>(signals: Arc<Signals>, future: F) -> F::Output {
    SIGNALS.scope(signals, future).await
}

/// Runs a function whose free functions steer the attempt with these signals.
pub(crate) fn sync_attempt_scope<R>(signals: Arc<Signals>, f: impl FnOnce() -> R) -> R {
    SIGNALS.sync_scope(signals, f)
}

/// The signals of the attempt that asks.
pub(crate) fn signals() -> Option<Arc<Signals>> {
    SIGNALS.try_with(Arc::clone).ok()
}
