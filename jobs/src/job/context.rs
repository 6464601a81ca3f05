//! What a running job knows about itself.

use std::sync::Arc;

/// What a running job knows about itself. A function with `#[job]` takes it as `cx: &JobContext`.
#[derive(Debug)]
pub struct JobContext {}

impl JobContext {
    /// The value of type `T` that was given to `Config::state`.
    #[doc(hidden)]
    pub fn __state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        unimplemented!()
    }

    /// Runs `f` on a thread that may block, as a part of this run.
    #[doc(hidden)]
    pub async fn __blocking<R: Send + 'static>(
        &self,
        _f: impl FnOnce(&JobContext) -> R + Send + 'static,
    ) -> R {
        unimplemented!()
    }
}
