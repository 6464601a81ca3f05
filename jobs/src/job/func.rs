//! A closure as a job.

use std::fmt;
use std::sync::Arc;

use super::body::{Attempt, ErasedJob, SharedJob, Template};
use super::context::JobContext;
use super::returned::Returned;

/// A closure as a job, made by [`func`].
#[derive(Clone)]
pub struct Func {
    name: Arc<str>,
    run: Arc<dyn SharedJob>,
}

/// Makes a job of a closure, for work that is not worth a function with `#[job]`.
///
/// The name is what the status page, the log and [`Jobs::pause`](crate::Jobs::pause) know it by: letters
/// `a`–`z`, digits, `_` and `-`; a wrong one is an error of the call that submits or schedules it. Several
/// closures may go by one name; they count as one job. A name stays known as long as the instance lives, with what
/// has become of its runs, so take it from what the work is and not from what it works on. The closure is called once for every run and returns what a
/// function with `#[job]` may return.
///
/// A closure cannot be written down, so it is bound to this process: on every store it is lost with it.
///
/// ```
/// # async fn example(jobs: jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
/// jobs.now(jobs::func("greet", || async { println!("hello") })).await?;
/// jobs.schedule("@hourly", jobs::func("chime", || async { println!("ding") })).await?;
/// # Ok(())
/// # }
/// ```
pub fn func<F, R>(name: impl Into<String>, run: F) -> Func
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output: Returned> + Send + 'static,
{
    Func { name: Arc::from(name.into()), run: Arc::new(Closure(run)) }
}

impl Func {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn into_template(self) -> Template {
        Template::Shared(self.run)
    }
}

impl ErasedJob for Func {
    fn start(self: Box<Self>, cx: JobContext) -> Attempt {
        self.run.start(cx)
    }

    fn start_clone(&self, cx: JobContext) -> Attempt {
        self.run.start(cx)
    }

    fn copy(&self) -> Box<dyn ErasedJob> {
        Box::new(self.clone())
    }
}

impl fmt::Debug for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Func").field("name", &self.name).finish_non_exhaustive()
    }
}

struct Closure<F>(F);

impl<F, R> SharedJob for Closure<F>
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output: Returned> + Send + 'static,
{
    fn start(&self, _cx: JobContext) -> Attempt {
        let future = (self.0)();
        Box::pin(async move { future.await.into_result().map(drop) })
    }
}
