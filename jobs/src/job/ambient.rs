//! Which instance of `jobs` the code that runs belongs to, carried along its task.

use std::any::Any;
use std::sync::Weak;

/// What runs jobs, seen from below, which alone knows its type. It is not kept alive: what runs jobs holds the
/// state that they are given, and lets go of it when it has ended.
pub(crate) type Host = Weak<dyn Any + Send + Sync>;

tokio::task_local! {
    static HOST: Host;
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
