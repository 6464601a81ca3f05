//! Submissions on their way to the server.

use tokio::sync::oneshot;

use super::Cluster;
use super::outcome;
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::options::{Origin, Unique};
use crate::job::run::{Outcome, RunId};
use crate::runtime::accepted::Accepted;
use crate::runtime::error::SubmitError;
use crate::runtime::order::Order;
use crate::runtime::{Jobs, RunHandle};
use crate::store::journal::Details;
use crate::store::memory::{JobIx, Watch};
use crate::store::postgres::{self, NewRun, Submitted, Trouble};

/// What the server answers.
pub(in crate::runtime) struct Answer(oneshot::Receiver<Result<Submitted, Trouble>>);

impl Answer {
    pub(super) fn new(answer: oneshot::Receiver<Result<Submitted, Trouble>>) -> Self {
        Self(answer)
    }

    /// The handle as it is after the answer: to the run that stands for the submission.
    pub(in crate::runtime) async fn apply(self, handle: RunHandle) -> Result<RunHandle, SubmitError> {
        match self.0.await {
            Ok(Ok(Submitted::New)) => Ok(handle),
            Ok(Ok(Submitted::Existing(id))) => {
                Ok(RunHandle { id: RunId::from_u128(id.0), duplicate: true, ..handle })
            }
            Ok(Err(trouble)) => Err(refused(&trouble)),
            Err(_) => Err(SubmitError::not_answered(LEFT)),
        }
    }
}

/// Why nobody knows.
const LEFT: &str = "this process has stopped waiting for the server";

/// What was asked of the server was not done, or it is not known whether it was.
pub(super) fn refused(trouble: &Trouble) -> SubmitError {
    match trouble {
        Trouble::Passing(why) => SubmitError::not_answered(why),
        Trouble::Lasting(_) | Trouble::Held => SubmitError::not_written(trouble.message()),
        Trouble::Closed => SubmitError::shut_down(),
    }
}

impl Cluster {
    pub(in crate::runtime) fn submit(&self, jobs: &Jobs, order: Order) -> Result<Accepted, SubmitError> {
        if jobs.is_shut_down() {
            return Err(SubmitError::shut_down());
        }
        let node = self.node().ok_or_else(SubmitError::shut_down)?;
        let run = self.new_run(jobs, order)?;
        let handle =
            RunHandle { id: RunId::from_u128(run.id.0), key: None, jobs: jobs.clone(), duplicate: false };
        Ok(Accepted::sent(handle, Answer(node.submit(run))))
    }

    /// Submits all of them or, where that cannot be, none.
    pub(in crate::runtime) async fn submit_many(
        &self,
        jobs: &Jobs,
        orders: Vec<Order>,
    ) -> Result<Vec<RunHandle>, SubmitError> {
        let node = self.node().ok_or_else(SubmitError::shut_down)?;
        let runs = self.new_runs(jobs, orders)?;
        let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
        match node.submit_all(runs).await {
            Ok(Ok(submitted)) => Ok(handles(jobs, &ids, &submitted)),
            Ok(Err(trouble)) => Err(refused(&trouble)),
            Err(_) => Err(SubmitError::not_answered(LEFT)),
        }
    }

    /// Submits in a transaction of the program's own, with which they come and go.
    pub(in crate::runtime) async fn submit_in(
        &self,
        jobs: &Jobs,
        orders: Vec<Order>,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Vec<RunHandle>, SubmitError> {
        let node = self.node().ok_or_else(SubmitError::shut_down)?;
        let runs = self.new_runs(jobs, orders)?;
        let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
        let _hold = node.hold();
        // Whatever it is, the transaction is not committed.
        let refused = |error| SubmitError::not_written(&unfit(&error));
        if !node.is_home(connection).await.map_err(refused)? {
            return Err(SubmitError::not_written(
                "the transaction is not one on the database of `jobs.store`, but on another with tables of the same names",
            ));
        }
        let submitted = node.db().submit_all_on(connection, &runs).await.map_err(refused)?;
        Ok(handles(jobs, &ids, &submitted))
    }

    fn new_runs(&self, jobs: &Jobs, orders: Vec<Order>) -> Result<Vec<NewRun>, SubmitError> {
        let row = |order: Order| {
            let job = order.job;
            if !self.executes(jobs, job)? {
                let name = jobs.inner.pool.read(|memory| memory.job(job).info.name.to_string());
                return Err(SubmitError::closure(&name));
            }
            self.new_run(jobs, order)
        };
        orders.into_iter().map(row).collect()
    }

    /// The row of a run.
    pub(in crate::runtime) fn new_run(&self, jobs: &Jobs, order: Order) -> Result<NewRun, SubmitError> {
        let now = jobs.inner.clock.now().wall;
        let (due, unique) = (order.due(now), order.unique(jobs));
        let Order { job, body, origin, options, requested_by, .. } = order;
        let unique = match unique {
            Some(unique) => Some(unique_of(jobs, job, unique, &body, due, now)?),
            None => None,
        };
        let pool = &jobs.inner.pool;
        let (name, queue, priority, retries) = pool.read(|memory| {
            let info = &memory.job(job).info;
            let queue = options.queue.map(|queue| memory.queue_name(queue).to_string());
            (
                info.name.to_string(),
                queue.unwrap_or_else(|| info.limits.queue.to_string()),
                options.priority.unwrap_or(info.limits.priority),
                options.retries.unwrap_or_else(|| info.attempts.retries(origin)),
            )
        });
        let (_, args) = body.into_parts();
        Ok(NewRun {
            id: pool.next_id().into(),
            job: name,
            queue,
            priority: priority.into(),
            due: due.map(Timestamp::to_chrono),
            retries: i32::try_from(retries).unwrap_or(i32::MAX),
            origin: if origin == Origin::RunNow { "run_now" } else { "submission" },
            unique,
            retry_of: None,
            args: args.map_or_else(|| "{}".to_owned(), String::from),
            record: requested_by.as_deref().and_then(record_of),
        })
    }
}

/// Why a transaction of the program's did not take runs.
fn unfit(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        // invalid_schema_name, undefined_table
        Some("3F000" | "42P01") => {
            format!(
                "the transaction is not one on the database of `jobs.store`, which has the tables: {error}"
            )
        }
        _ => error.to_string(),
    }
}

fn handles(jobs: &Jobs, ids: &[postgres::Id], submitted: &[Submitted]) -> Vec<RunHandle> {
    let handle = |(own, submitted): (&postgres::Id, &Submitted)| {
        let (id, duplicate) = match submitted {
            Submitted::New => (own.0, false),
            Submitted::Existing(id) => (id.0, true),
        };
        RunHandle { id: RunId::from_u128(id), key: None, jobs: jobs.clone(), duplicate }
    };
    ids.iter().zip(submitted).map(handle).collect()
}

/// What is known of a run from the beginning, as it is kept.
pub(super) fn record_of(requested_by: &str) -> Option<String> {
    let details = Details { requested_by: Some(requested_by.into()), ..Details::default() };
    serde_json::to_string(&details).ok()
}

/// What a submission has in common with those that it is one with.
fn unique_of(
    jobs: &Jobs,
    job: JobIx,
    unique: Unique,
    body: &Body,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Result<postgres::Unique, SubmitError> {
    let (key, window) = jobs.compared(job, unique, body, due, now)?;
    let Some((length, at)) = window else { return Ok(postgres::Unique { key, until: None }) };
    let nanos = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX).max(1);
    let number = at.as_nanos().div_euclid(nanos);
    let end = nanos.saturating_mul(number.saturating_add(1));
    let until = Some(Timestamp::from_nanos(end).to_chrono());
    Ok(postgres::Unique { key: format!("{key} {nanos}:{number}"), until })
}

impl RunHandle {
    /// Waits for the end of a run that any process of the cluster may execute.
    pub(in crate::runtime) async fn wait_in_cluster(&self, cluster: &Cluster) -> Outcome {
        let ended = match cluster.node() {
            Some(node) => node.ended(self.id.into()).await.ok(),
            None => None,
        };
        match ended {
            Some(ended) if ended.is_unknown => Outcome::Unknown,
            Some(ended) => outcome::read(ended.outcome.as_deref(), ended.message),
            // This process has left, and knows of what it has executed itself.
            None => match self.here().map(|key| self.jobs.inner.pool.watch(key)) {
                Some(Watch::Ended(outcome)) => outcome,
                _ => Outcome::Interrupted,
            },
        }
    }
}
