//! Submissions on their way to the server.

use tokio::sync::oneshot;

use super::Cluster;
use super::outcome;
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::options::{Origin, Unique};
use crate::job::run::RunId;
use crate::runtime::accepted::Accepted;
use crate::runtime::error::SubmitError;
use crate::runtime::{Jobs, RunHandle};
use crate::scheduler::timers::Delay;
use crate::store::journal::Details;
use crate::store::memory::{JobIx, RunOptions};
use crate::store::postgres::{self, NewRun, Submitted, Trouble};

/// A run to be submitted.
pub(in crate::runtime) struct Order {
    pub(in crate::runtime) job: JobIx,
    /// With its arguments written down.
    pub(in crate::runtime) body: Body,
    pub(in crate::runtime) origin: Origin,
    pub(in crate::runtime) options: RunOptions,
    /// What the submission says; the job says the rest.
    pub(in crate::runtime) unique: Option<Unique>,
    pub(in crate::runtime) delay: Option<Delay>,
    /// Who asked for it on the status page.
    pub(in crate::runtime) requested_by: Option<String>,
}

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
            Ok(Err(trouble)) => Err(SubmitError::not_written(trouble.message())),
            Err(_) => Err(SubmitError::shut_down()),
        }
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

    /// The row of a run.
    pub(in crate::runtime) fn new_run(&self, jobs: &Jobs, order: Order) -> Result<NewRun, SubmitError> {
        let Order { job, body, origin, options, unique, delay, requested_by } = order;
        let now = jobs.inner.clock.now().wall;
        let due = delay.map(|delay| match delay {
            Delay::At(at) => at,
            Delay::For(by) => now.saturating_add(by),
        });
        let unique = match unique.or_else(|| jobs.unique_of(job)) {
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
    pub(in crate::runtime) async fn wait_in_cluster(&self, cluster: &Cluster) -> crate::Outcome {
        let Some(node) = cluster.node() else { return crate::Outcome::Unknown };
        match node.ended(self.id.into()).await {
            Ok(ended) if !ended.is_unknown => outcome::read(ended.outcome.as_deref(), ended.message),
            _ => crate::Outcome::Unknown,
        }
    }
}
