//! What a `#[state]` parameter can be.

use std::sync::Arc;

use super::JobContext;

/// What can be given to `Config::state` and taken as `#[state] name: &T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a state of jobs",
    label = "a state is `Send + Sync + 'static`",
    note = "jobs on several threads share it: where it changes, put a `Mutex`, an `RwLock` or an atomic inside of it"
)]
pub trait State: Sized {
    /// The value that was given to `Config::state`.
    fn __of(cx: &JobContext) -> Arc<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> State for T {
    fn __of(cx: &JobContext) -> Arc<Self> {
        cx.__state()
    }
}
