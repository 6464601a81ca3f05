//! Looking at the cluster, and steering it: runs that any of its processes may execute.

use std::sync::Arc;

use super::submit::refused;
use super::{Cluster, outcome};
use crate::clock::Timestamp;
use crate::job::attempt::{Attempt, AttemptRecord};
use crate::job::output::Output;
use crate::job::run::{Outcome, RunId};
use crate::job::snapshot::{MadeBy, RunSnapshot, RunState};
use crate::job::text::cut;
use crate::runtime::accepted::Accepted;
use crate::runtime::error::SubmitError;
use crate::runtime::known;
use crate::runtime::runs::ARGUMENTS;
use crate::runtime::{Jobs, RunHandle};
use crate::scheduler::planned::ScheduleKey;
use crate::store::journal::Details;
use crate::store::memory::Filter;
use crate::store::postgres::{Cancelled, Db, NewRun, RunFilter, RunRow};
use crate::telemetry::{self, panics};

impl Cluster {
    /// Asks the server, and says in the log when it does not answer.
    pub(super) async fn look<T, F>(
        &self,
        question: impl FnOnce(Db) -> F + Send + 'static,
    ) -> Result<T, SubmitError>
    where
        T: Send + 'static,
        F: Future<Output = sqlx::Result<T>> + Send + 'static,
    {
        let node = self.node().ok_or_else(SubmitError::shut_down)?;
        let readers = Arc::clone(&self.readers);
        // The wait for a turn is part of the question: it has an end, and does not hang on who asks.
        let in_turn = |db| async move {
            let _turn = readers.acquire().await;
            question(db).await
        };
        node.ask(in_turn).await.map_err(|trouble| {
            let _ = panics::catch(|| telemetry::not_answered(trouble.message()));
            refused(&trouble)
        })
    }

    /// Lets all processes look how things stand, since something has changed that concerns them.
    fn tell(&self) {
        if let Some(node) = self.node() {
            node.tell();
        }
    }

    /// What changes something, and is to be known to have done so.
    pub(super) async fn steer<T, F>(
        &self,
        question: impl FnOnce(Db) -> F + Send + 'static,
    ) -> Result<T, SubmitError>
    where
        T: Send + 'static,
        F: Future<Output = sqlx::Result<T>> + Send + 'static,
    {
        let node = self.node().ok_or_else(SubmitError::shut_down)?;
        node.ask(question).await.map_err(|trouble| refused(&trouble))
    }

    pub(in crate::runtime) async fn row(&self, id: RunId) -> Result<Option<RunRow>, SubmitError> {
        self.look(move |db| async move { db.run(id.into()).await }).await
    }

    /// The value that a run gave, as it is kept.
    pub(in crate::runtime) async fn output_of(&self, id: RunId) -> Option<Output> {
        details_of(&self.row(id).await.ok()??).notes.output
    }

    /// Cancels a run wherever it is. `false` when it has ended already, or is not known.
    pub(in crate::runtime) async fn cancel(&self, id: RunId) -> Result<bool, SubmitError> {
        let node = self.node().ok_or_else(SubmitError::shut_down)?;
        let cancelled = node.cancel(id.into()).await.map_err(|trouble| refused(&trouble));
        if let Err(error) = &cancelled {
            let _ = panics::catch(|| telemetry::not_answered(&error.to_string()));
        }
        match cancelled? {
            Cancelled::Gone => return Ok(false),
            Cancelled::Ended { .. } => {}
            Cancelled::Running => {
                // It may be here, and then it need not be told by the server.
                if let Some(key) = self.recorder.host.pool.key_of(id) {
                    self.recorder.host.pool.cancel(key);
                }
            }
        }
        self.tell();
        Ok(true)
    }

    /// Whether any process has something in a queue.
    pub(in crate::runtime) async fn has_queue(&self, queue: String) -> Result<bool, SubmitError> {
        self.steer(move |db| async move { db.has_queue(&queue).await }).await
    }

    /// Pauses a job in all processes, or lets it go on.
    pub(in crate::runtime) async fn pause_job(&self, job: String, paused: bool) -> Result<(), SubmitError> {
        self.steer(move |db| async move { db.pause_job(&job, paused).await }).await?;
        self.tell();
        Ok(())
    }

    pub(in crate::runtime) async fn pause_queue(
        &self,
        queue: String,
        paused: bool,
    ) -> Result<(), SubmitError> {
        self.steer(move |db| async move { db.pause_queue(&queue, paused).await }).await?;
        self.tell();
        Ok(())
    }

    /// Makes a run once more that has ended.
    pub(in crate::runtime) async fn retry(
        &self,
        jobs: &Jobs,
        id: RunId,
        requested_by: Option<&str>,
    ) -> Result<RunHandle, SubmitError> {
        let row = self.steer(move |db| async move { db.run(id.into()).await }).await?;
        let Some(row) = row else { return Err(SubmitError::unknown_run(id)) };
        let state = state_of(&row);
        if !state.is_final() {
            return Err(SubmitError::live_run(id, state));
        }
        let node = self.node().ok_or_else(SubmitError::shut_down)?;
        let info = jobs.inner.pool.read(|memory| {
            let ix = self.known.get(&row.job).map(|job| job.ix)?;
            Some(memory.job(ix).info.attempts.retries(crate::job::options::Origin::Submission))
        });
        let run = NewRun {
            id: jobs.inner.pool.next_id().into(),
            job: row.job,
            queue: row.queue,
            priority: row.priority,
            due: None,
            retries: info.and_then(|retries| i32::try_from(retries).ok()).unwrap_or(row.retries),
            origin: "submission",
            unique: None,
            retry_of: Some(id.into()),
            args: row.args,
            record: requested_by.and_then(super::submit::record_of),
        };
        let handle =
            RunHandle { id: RunId::from_u128(run.id.0), key: None, jobs: jobs.clone(), duplicate: false };
        Accepted::sent(handle, super::Answer::new(node.submit(run))).safe().await
    }

    /// What is known of a run: what executes here is known better here.
    pub(in crate::runtime) async fn run(
        &self,
        jobs: &Jobs,
        id: RunId,
    ) -> Result<Option<RunSnapshot>, SubmitError> {
        Ok(self.row(id).await?.map(|row| self.snapshot_of(jobs, row)))
    }

    /// Some runs, the youngest first.
    pub(in crate::runtime) async fn runs(
        &self,
        jobs: &Jobs,
        job: Option<&str>,
        filter: &Filter,
        before: Option<RunId>,
        most: usize,
    ) -> Result<Vec<RunSnapshot>, SubmitError> {
        let to = filter.to.map(RunId::first_at);
        let wanted = RunFilter {
            jobs: job.map(|job| self.names_of(job)),
            states: Some(filter.states.iter().map(|state| state.as_str().to_owned()).collect())
                .filter(|states: &Vec<_>| !states.is_empty()),
            queue: filter.queue.clone(),
            is_final: filter.is_final,
            from: filter.from.map(|from| RunId::first_at(from).into()),
            before: before.into_iter().chain(to).min().map(Into::into),
        };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.look(move |db| async move { db.runs(wanted, most).await }).await?;
        Ok(rows.into_iter().map(|row| self.snapshot_of(jobs, row)).collect())
    }

    /// The names that runs of a job may have, by one of them.
    pub(super) fn names_of(&self, name: &str) -> Vec<String> {
        let Some(job) = self.known.get(name) else { return vec![name.to_owned()] };
        self.known.iter().filter(|(_, other)| other.ix == job.ix).map(|(name, _)| name.to_owned()).collect()
    }

    fn snapshot_of(&self, jobs: &Jobs, row: RunRow) -> RunSnapshot {
        let id = RunId::from_u128(row.id.0);
        if row.state == "running"
            && let Some(here) = jobs.inner.pool.key_of(id).and_then(|key| jobs.inner.pool.found(key))
        {
            return RunSnapshot { node: row.node_name, ..jobs.complete(here) };
        }
        let state = state_of(&row);
        let details = details_of(&row);
        let made_by = match (row.slot, row.retry_of) {
            (Some(at), _) => MadeBy::Slot { at, schedule: row.schedule.clone() },
            (None, Some(of)) => MadeBy::Retry { of: RunId::from_u128(of.0) },
            (None, None) if row.origin == "run_now" => MadeBy::RunNow,
            (None, None) => MadeBy::Submission,
        };
        let mut attempts: Vec<_> = details.failures.iter().map(Attempt::from).collect();
        if let (RunState::Succeeded, Some(started), Some(finished)) = (state, row.started, row.finished) {
            attempts.push(Attempt::from(&AttemptRecord {
                number: u32::try_from(row.attempt).unwrap_or(0),
                started: Timestamp::from_chrono(started),
                finished: Timestamp::from_chrono(finished),
                outcome: Outcome::Succeeded,
                trace: None,
            }));
        }
        let arguments = self.known.get(&row.job).map(|job| {
            // What is redacted is known by the type alone, so it is read by code of the user.
            match known::body(job.read, Some(&row.args)) {
                Ok(body) => panics::catch(|| body.arguments())
                    .unwrap_or_default()
                    .map_or_else(|| "{}".to_owned(), |arguments| arguments.shown().to_string()),
                Err(_) => "arguments that the job cannot read".to_owned(),
            }
        });
        RunSnapshot {
            id,
            job: row.job,
            state,
            made_by,
            submitted_at: row.submitted,
            due_at: (state == RunState::Scheduled).then_some(row.due),
            started_at: row.started,
            finished_at: row.finished,
            queue: row.queue,
            priority: i8::try_from(row.priority).unwrap_or(0),
            attempt: u32::try_from(row.attempt).unwrap_or(0),
            retries: u32::try_from(row.retries).unwrap_or(0),
            outcome: state.is_final().then(|| outcome::read(row.outcome.as_deref(), row.message.clone())),
            requested_by: details.requested_by.as_deref().map(str::to_owned),
            arguments: arguments.map(|arguments| cut(arguments, ARGUMENTS)),
            output: details.notes.output.as_ref().and_then(|output| output.json().map(str::to_owned)),
            progress: details.notes.progress,
            attempts,
            log: details.notes.lines().collect(),
            node: row.node_name,
        }
    }
}

fn state_of(row: &RunRow) -> RunState {
    // Only versions to come know others.
    RunState::ALL.into_iter().find(|state| state.as_str() == row.state).unwrap_or(RunState::Scheduled)
}

fn details_of(row: &RunRow) -> Details {
    row.record.as_deref().and_then(|record| serde_json::from_str(record).ok()).unwrap_or_default()
}

impl Jobs {
    /// Lets the other processes know which schedules the program has, when it begins.
    pub(in crate::runtime) async fn share_declared(&self, keys: &[ScheduleKey]) {
        if let Some(node) = self.inner.cluster.get().and_then(|cluster| cluster.node()) {
            let declared = self.inner.scheduler.names_of(keys);
            if let Err(trouble) = node.declare(declared).await {
                let _ = panics::catch(|| telemetry::not_answered(trouble.message()));
            }
        }
        self.share_schedules(keys).await;
    }

    /// Lets the other processes know of schedules that were added or have another meaning.
    pub(in crate::runtime) async fn share_schedules(&self, keys: &[ScheduleKey]) {
        let Some(cluster) = self.inner.cluster.get() else { return };
        let closures = self.inner.scheduler.read(|timers| {
            let of =
                |key: &ScheduleKey| timers.get(*key).map(|planned| (planned.job, planned.template.clone()));
            keys.iter().filter_map(of).collect::<Vec<_>>()
        });
        for (ix, template) in closures {
            let info = self.inner.pool.read(|memory| {
                let info = &memory.job(ix).info;
                info.is_func.then(|| info.name.to_string())
            });
            if let Some(name) = info {
                cluster.recorder.host.add_closure(name, ix, template);
            }
        }
        if let Err(trouble) = self.inner.scheduler.register(keys).await {
            let _ = panics::catch(|| telemetry::not_answered(trouble.message()));
        }
    }

    /// The same of schedules that were taken out here.
    pub(in crate::runtime) async fn unshare_schedules(&self, keys: &[ScheduleKey]) {
        let Some(cluster) = self.inner.cluster.get() else { return };
        let Some(node) = cluster.node() else { return };
        for (job, key) in self.inner.scheduler.unregistered(keys) {
            if !self.inner.scheduler.shares(&job) {
                cluster.recorder.host.remove_closure(&job);
            }
            // Where it is not heard, the registration goes with the node.
            if let Err(trouble) = node.unregister(job, key).await {
                let _ = panics::catch(|| telemetry::not_answered(trouble.message()));
            }
        }
    }
}
