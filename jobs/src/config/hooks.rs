//! The functions of the program around and after attempts.

use std::sync::Arc;

use super::Config;
use crate::JobResult;
use crate::hooks::{Failure, Next};
use crate::job::JobContext;

impl Config {
    /// Runs a function around every attempt of every job: before it, after it, with its result, or in its place. It is
    /// for what jobs have in common and should not repeat: the context of a trace, a tenant, a transaction, a measurement.
    ///
    /// `cx` is that of the attempt and may be cloned. `next.run(cx).await` runs the rest; what it returns is what the job has
    /// returned, and may be looked at and exchanged. A middleware that returns without calling it has stood in for the
    /// job: an error fails the attempt, which is tried again like any other, and `Ok` is a success.
    ///
    /// **Guarantees.** Several are called in the order in which they were given, the first as the outermost. They are a
    /// part of the attempt: a panic in one is the attempt's, a `timeout` counts their time, an async attempt that is cancelled is
    /// dropped with them where they await, and [`retry_in`](crate::retry_in()), [`discard`](crate::discard()),
    /// [`now`](crate::now) and the like mean the attempt and the instance. That of a plain `fn` is around it in
    /// the same way and runs on the runtime, where it must not block; once the function has begun, it is not dropped either. Without any,
    /// there is no cost.
    ///
    /// A middleware is around every attempt, those of what it submits among them: one that submits at each call submits
    /// without end. Let it look at [`JobContext::job`](crate::JobContext::job) first, or submit only after a failure, with
    /// `retries(0)`.
    ///
    /// ```
    /// use jobs::{BoxError, Config};
    ///
    /// tokio::task_local! {
    ///     static TENANT: String;
    /// }
    /// # #[derive(Clone)] struct Database;
    /// # impl Database {
    /// #     async fn is_reachable(&self) -> bool { true }
    /// # }
    ///
    /// let config = Config::default()
    ///     .state(Database)
    ///     // Says how long everything takes.
    ///     .middleware(|cx, next| async move {
    ///         let job = cx.job().to_owned();
    ///         let begun = tokio::time::Instant::now();
    ///         let result = next.run(cx).await;
    ///         println!("{job} took {:?}", begun.elapsed());
    ///         result
    ///     })
    ///     // What the job calls finds its tenant.
    ///     .middleware(|cx, next| TENANT.scope("acme".to_owned(), next.run(cx)))
    ///     // No job runs without the database; all are tried again later.
    ///     .middleware(|cx, next| async move {
    ///         let database = cx.state::<Database>().ok_or("no database")?;
    ///         if !database.is_reachable().await {
    ///             return Err(BoxError::from("the database is away"));
    ///         }
    ///         next.run(cx).await
    ///     });
    /// ```
    pub fn middleware<F, R>(mut self, middleware: F) -> Self
    where
        F: Fn(JobContext, Next) -> R + Send + Sync + 'static,
        R: Future<Output = JobResult> + Send + 'static,
    {
        self.hooks.add_middleware(Arc::new(middleware));
        self
    }

    /// Calls a function after every attempt that failed, whether it is tried again or not: for an error tracker. It is
    /// told of errors, panics and timeouts; not of what was cancelled or cut off by a shutdown, which is nobody's fault.
    ///
    /// It is called by the worker that has made the attempt, after the log was written and before that takes another run. A
    /// place in the pool is gone meanwhile, and a shutdown waits for it as for the run: hand on what takes time, as trackers do.
    /// What it says by [`log`](crate::log()), [`discard`](crate::discard()) and the like is for no run. Its own panic is logged
    /// and has no consequence. Several are called in the order in which they were given.
    ///
    /// ```
    /// use jobs::{Config, Follows};
    ///
    /// let config = Config::default().on_failure(|failure| {
    ///     // Only what has failed for good, with the error's own type where it is known.
    ///     if matches!(failure.follows(), Follows::Dead) {
    ///         let refused = failure.error().and_then(|error| error.downcast_ref::<std::io::Error>());
    ///         eprintln!("{failure} ({:?})", refused.map(std::io::Error::kind));
    ///     }
    /// });
    /// ```
    pub fn on_failure(mut self, on_failure: impl Fn(&Failure) + Send + Sync + 'static) -> Self {
        self.hooks.add_on_failure(Arc::new(on_failure));
        self
    }
}
