//! Runs that a transaction of the program's has written into the file, on their way to the pool of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Durable;
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::name::JobName;
use crate::job::options::Origin;
use crate::job::run::RunId;
use crate::pool::{Arrived, Pool};
use crate::runtime::error::SubmitError;
use crate::runtime::order::Order;
use crate::runtime::{Jobs, RunHandle};
use crate::scheduler::task::Scheduler;
use crate::scheduler::timers::Delay;
use crate::store::journal::{Details, Recorded, RunRecord};
use crate::store::memory::{JobIx, RunOptions, UniqueKey};
use crate::store::sqlite::{Outside, What, Written, begin_on, write_outside, written_there};
use crate::telemetry::panics;

/// What was submitted in transactions that may not be over.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    pub(super) outside: Arc<Outside>,
    runs: Mutex<HashMap<RunId, Arrival>>,
}

/// A run that is the pool's when its transaction has committed.
#[derive(Debug)]
struct Arrival {
    job: JobIx,
    /// None once it is on its way into the pool.
    body: Option<Body>,
    options: RunOptions,
    due: Option<Timestamp>,
    unique: Option<UniqueKey>,
}

impl Arriving {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Arrival>> {
        // Each step leaves it whole.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction is over, and has committed the run or not.
    pub(super) fn settle(&self, run: RunId, is_there: bool, pool: &Pool, scheduler: &Scheduler) {
        if is_there {
            let arrives = self.lock().get_mut(&run).and_then(|arrival| {
                let Arrival { job, body, options, due, unique } = arrival;
                Some((*job, body.take()?, *options, *due, unique.clone()))
            });
            let Some((job, body, options, due, unique)) = arrives else { return };
            // Who looks for it here and then in the pool finds it.
            match pool.arrive(run, job, body, options, due, unique) {
                Arrived::Queued => {}
                Arrived::Delayed(key, due) => scheduler.delay(key, Delay::At(due)),
                // Of a shutdown: it is in the file, and starts with the next process.
                Arrived::Left(body) => drop(panics::catch(|| drop(body))),
            }
        }
        let gone = self.lock().remove(&run);
        // Code of the user, which may panic.
        let _ = panics::catch(|| drop(gone));
    }
}

impl Durable {
    pub(in crate::runtime) fn wake(&self) {
        self.arriving.outside.wake(&self.commits);
    }

    /// Whether it is not known yet whether a run is in the file that was submitted in a transaction.
    #[cfg(feature = "testing")]
    pub(in crate::runtime) fn arrives(&self, run: RunId) -> bool {
        self.arriving.outside.contains(run)
    }

    /// Finds out which transactions are over. It blocks its thread.
    #[cfg(feature = "testing")]
    pub(in crate::runtime) fn look_blocking(&self) {
        self.wake();
        let _ = self.commits.committed_blocking(self.commits.request());
    }

    /// Waits until it is known whether a run is in the file that was submitted in a transaction.
    pub(in crate::runtime) async fn settled(&self, run: RunId) {
        while self.arriving.outside.contains(run) {
            self.arriving.outside.wake(&self.commits);
            let request = self.commits.request();
            let written = match self.blocks {
                true => self.commits.committed_blocking(request),
                false => self.commits.committed(request).await,
            };
            if written.is_err() {
                return;
            }
            if self.blocks {
                // Whoever is to commit may be on this thread.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Submits in a transaction of the program's, with which the runs come and go.
    pub(in crate::runtime) async fn submit_in(
        &self,
        jobs: &Jobs,
        orders: Vec<Order>,
        connection: &mut sqlx::SqliteConnection,
    ) -> Result<Vec<RunHandle>, SubmitError> {
        let refused = |error: sqlx::Error| SubmitError::not_written(&error.to_string());
        if !begin_on(connection, self.path()).await.map_err(refused)? {
            return Err(SubmitError::not_written(&self.other_file()));
        }
        let mut handles = Vec::with_capacity(orders.len());
        for order in orders {
            handles.push(self.submit_one_in(jobs, order, connection).await?);
        }
        Ok(handles)
    }

    async fn submit_one_in(
        &self,
        jobs: &Jobs,
        order: Order,
        connection: &mut sqlx::SqliteConnection,
    ) -> Result<RunHandle, SubmitError> {
        let refused = |error: sqlx::Error| SubmitError::not_written(&error.to_string());
        let pool = &jobs.inner.pool;
        let now = jobs.inner.clock.now().wall;
        let (due, unique) = (order.due(now), order.unique(jobs));
        let Order { job, body, options, .. } = order;
        let closure = pool.read(|memory| {
            let info = &memory.job(job).info;
            info.is_func.then(|| info.name.to_string())
        });
        if let Some(name) = closure {
            return Err(SubmitError::closure(&name));
        }
        let unique = match unique {
            Some(unique) => {
                let (arguments, window) = jobs.compared(job, unique, &body, due, now)?;
                Some(UniqueKey::new(job, arguments, window))
            }
            None => None,
        };
        let handle = |id, key, duplicate| RunHandle { id, key, jobs: jobs.clone(), duplicate };
        if let Some(unique) = &unique {
            // In this order: a run that arrives is in the pool before it is not here any more.
            let same: Vec<_> = {
                let runs = self.arriving.lock();
                runs.iter()
                    .filter(|(_, run)| run.unique.as_ref() == Some(unique))
                    .map(|(id, _)| *id)
                    .collect()
            };
            if let Some(id) = written_there(connection, &same).await.map_err(refused)?.first() {
                return Ok(handle(*id, None, true));
            }
            if let Some((id, key)) = pool.standing(unique) {
                return Ok(handle(id, Some(key), true));
            }
        }
        let id = pool.next_id();
        let (body, arguments) = body.into_parts();
        let state = match due.filter(|due| *due > now) {
            Some(due) => Recorded::Scheduled { due },
            None => Recorded::Available { since: now },
        };
        let record = record_of(jobs, job, id, &options, state);
        let details =
            unique.as_ref().map(|unique| Details { unique: Some(unique.record()), ..Details::default() });
        let record = RunRecord { arguments, details, ..record };
        self.arriving.lock().insert(id, Arrival { job, body: Some(body), options, due, unique });
        let mut wish = Wish { durable: self, id, is_sent: true };
        if let Err(error) = write_outside(connection, record, None).await {
            wish.is_sent = false;
            let gone = self.arriving.lock().remove(&id);
            let _ = panics::catch(|| drop(gone));
            return Err(refused(error));
        }
        Ok(handle(id, None, false))
    }
}

/// The row of a run that has not begun.
fn record_of(jobs: &Jobs, job: JobIx, id: RunId, options: &RunOptions, state: Recorded) -> RunRecord {
    let origin = Origin::Submission;
    jobs.inner.pool.read(|memory| {
        let info = &memory.job(job).info;
        let queue = options.queue.map(|queue| memory.queue_name(queue).clone());
        RunRecord {
            id,
            job: info.name.clone(),
            state,
            origin,
            attempt: 0,
            retries: options.retries.unwrap_or_else(|| info.attempts.retries(origin)),
            queue: queue.unwrap_or_else(|| JobName::Shared(info.limits.queue.as_ref().into())),
            priority: options.priority.unwrap_or(info.limits.priority),
            slot: None,
            schedule: None,
            is_awaited: false,
            arguments: None,
            details: None,
        }
    })
}

/// A statement that was sent: when nobody waits for its answer any more, it may have been executed.
struct Wish<'d> {
    durable: &'d Durable,
    id: RunId,
    is_sent: bool,
}

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        if self.is_sent {
            let outside = &self.durable.arriving.outside;
            let written = Written { run: self.id, ticket: outside.ticket(), what: What::Run };
            outside.add(written, &self.durable.commits);
        }
    }
}
