//! Which instance of `jobs`, and which attempt, the code that runs belongs to, carried along its task.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::context::Surroundings;

/// What runs jobs, seen from below, which alone knows its type. It is not kept alive: what runs jobs holds the
/// state that they are given, and lets go of it when it has ended.
pub(crate) type Host = Weak<dyn Any + Send + Sync>;

tokio::task_local! {
    static HOST: Host;
    static SURROUNDINGS: Arc<Surroundings>;
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
    let host = HOST.try_with(Weak::clone).ok();
    #[cfg(feature = "testing")]
    let host = host.or_else(of_test);
    host
}

#[cfg(feature = "testing")]
thread_local! {
    /// The instances of the test that this thread runs.
    static OF_TEST: std::cell::RefCell<Vec<Host>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The code of the test on this thread belongs to `host` from now on, where it has no other.
#[cfg(feature = "testing")]
pub(crate) fn enter_test(host: Host) {
    OF_TEST.with_borrow_mut(|hosts| hosts.push(host));
}

#[cfg(feature = "testing")]
pub(crate) fn leave_test(host: &Host) {
    // The thread may be going away.
    let _ = OF_TEST.try_with(|hosts| hosts.borrow_mut().retain(|other| !Weak::ptr_eq(other, host)));
}

#[cfg(feature = "testing")]
fn of_test() -> Option<Host> {
    let only = |hosts: &[Host]| match hosts {
        [only] => Some(Weak::clone(only)),
        _ => None,
    };
    OF_TEST.try_with(|hosts| only(&hosts.borrow())).ok().flatten()
}

/// Runs a future whose free functions find the attempt that these surroundings are for: one after another, those of a
/// worker.
pub(crate) async fn attempt_scope<F: Future>(surroundings: Arc<Surroundings>, future: F) -> F::Output {
    SURROUNDINGS.scope(surroundings, future).await
}

/// Runs a function whose free functions find the attempt that these surroundings are for.
pub(crate) fn sync_attempt_scope<R>(surroundings: Arc<Surroundings>, f: impl FnOnce() -> R) -> R {
    SURROUNDINGS.sync_scope(surroundings, f)
}

/// Calls a function with the surroundings of the attempt that asks, if there is one.
pub(crate) fn in_attempt<R>(f: impl FnOnce(&Surroundings) -> R) -> Option<R> {
    SURROUNDINGS.try_with(|surroundings| f(surroundings)).ok()
}
