//! Functions around every attempt.

use std::fmt;
use std::sync::Arc;

use crate::JobResult;
use crate::job::body::{Attempt, Body};
use crate::job::context::JobContext;

/// A function around every attempt. The first that was given is the outermost.
pub(crate) trait Middleware: Send + Sync {
    fn call(&self, cx: JobContext, next: Next) -> Attempt;
}

impl<F, R> Middleware for F
where
    F: Fn(JobContext, Next) -> R + Send + Sync,
    R: Future<Output = JobResult> + Send + 'static,
{
    fn call(&self, cx: JobContext, next: Next) -> Attempt {
        Box::pin(self(cx, next))
    }
}

/// The rest of an attempt, as a [middleware](crate::Config::middleware) sees it: the middleware that was given after
/// it, and within all of them the job.
#[must_use = "the job does not run unless `next.run(cx).await` is called"]
pub struct Next {
    layers: Arc<[Arc<dyn Middleware>]>,
    /// The next of them.
    at: usize,
    body: Body,
}

impl Next {
    pub(crate) fn new(layers: &Arc<[Arc<dyn Middleware>]>, body: Body) -> Self {
        Self { layers: Arc::clone(layers), at: 0, body }
    }

    /// Runs the rest of the attempt, and gives what the job has returned.
    ///
    /// # Panics
    ///
    /// Where the job does. The panic ends the attempt; a middleware need not catch it.
    pub async fn run(self, cx: JobContext) -> JobResult {
        self.start(cx).await
    }

    /// Begins the rest of the attempt. This calls code of the user, which may panic.
    pub(crate) fn start(mut self, cx: JobContext) -> Attempt {
        match self.layers.get(self.at) {
            Some(layer) => {
                let layer = Arc::clone(layer);
                self.at += 1;
                layer.call(cx, self)
            }
            None => self.body.start(cx),
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("layers", &(self.layers.len() - self.at)).finish_non_exhaustive()
    }
}
