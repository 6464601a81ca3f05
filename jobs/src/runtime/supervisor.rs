//! No task of ours dies silently: one that panics is logged and started again.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::telemetry::{self, panics};

/// How long a task that panicked waits before it is started again.
const PAUSE: Duration = Duration::from_secs(1);

/// A task that is started again until it is aborted.
#[derive(Debug)]
pub(super) struct Supervised(AbortHandle);

impl Supervised {
    pub(super) fn abort(&self) {
        self.0.abort();
    }
}

/// Runs `task` until it completes, again after every panic.
pub(super) fn supervise<F>(
    runtime: &Handle,
    name: &'static str,
    task: impl Fn() -> F + Send + 'static,
) -> Supervised
where
    F: Future<Output = ()> + Send + 'static,
{
    let task = runtime.spawn(async move {
        loop {
            let mut future = Box::pin(task());
            let end = poll_fn(|cx| match panics::catch(|| future.as_mut().poll(cx)) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
                Err(panic) => Poll::Ready(Err(panic)),
            });
            match end.await {
                Ok(()) => return,
                Err(panic) => telemetry::task_died(name, &panic),
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    Supervised(task.abort_handle())
}
