//! Looking at runs, and steering them by their identity.

use chrono::{DateTime, Utc};
use tokio::task::coop;

use super::accepted::Accepted;
use super::error::SubmitError;
use super::{Jobs, RunHandle};
use crate::clock::Timestamp;
use crate::job::attempt::MESSAGE;
use crate::job::run::{Outcome, RunId};
use crate::job::snapshot::{MadeBy, RunSnapshot, RunState};
use crate::job::text::cut;
use crate::pool::Closed;
use crate::store::memory::{Filter, Found};

/// Bytes of arguments that are shown.
pub(super) const ARGUMENTS: usize = 2 * MESSAGE;

/// How many are put together under one lock.
const AT_A_TIME: usize = 64;

/// How many a server is asked for at a time, where a text is looked for in them.
#[cfg(feature = "postgres")]
const ASKED_FOR: usize = 500;

impl Jobs {
    /// The runs of this instance, live and kept, the youngest first: [`list`](RunQuery::list) gives those that the query
    /// is narrowed to.
    ///
    /// Of every job the last 10 000 runs are kept for a week after their end where the config says nothing
    /// ([`Config::retention`](crate::Config::retention)), and its very last for longer.
    ///
    /// ```
    /// use jobs::RunState;
    ///
    /// # async fn example(jobs: jobs::Jobs) {
    /// for run in jobs.runs().job("charge").state(RunState::Dead).limit(10).list().await {
    ///     println!("{} {:?}: {:?}", run.id, run.arguments, run.outcome);
    /// }
    /// # }
    /// ```
    pub fn runs(&self) -> RunQuery {
        RunQuery {
            jobs: self.clone(),
            job: None,
            filter: Filter::default(),
            text: None,
            before: None,
            limit: 100,
        }
    }

    /// One run; none when it is not known here, or not kept any more. Where the server of a cluster does not answer, the log says
    /// so, and there is none either but for what this process has executed: [`try_run`](Self::try_run) tells these apart.
    pub async fn run(&self, id: RunId) -> Option<RunSnapshot> {
        self.try_run(id).await.ok().flatten()
    }

    /// One run; none when it is not known here, or not kept any more.
    ///
    /// # Errors
    ///
    /// In a cluster, a server that does not answer ([`SubmitError::is_not_answered`]), and a process that has left it; of what this
    /// process has executed it knows all the same.
    pub async fn try_run(&self, id: RunId) -> Result<Option<RunSnapshot>, SubmitError> {
        let here = || Some(self.complete(self.inner.pool.found(self.inner.pool.key_of(id)?)?));
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get() {
            return match cluster.run(self, id).await {
                Ok(None) => Ok(here()),
                Err(error) => here().map(Some).ok_or(error),
                found => found,
            };
        }
        Ok(here())
    }

    /// The handle of a run, as its submission gave it; none when it is not known here, or not kept any more, and where
    /// [`try_run`](Self::try_run) has an error.
    pub async fn handle(&self, id: RunId) -> Option<RunHandle> {
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get()
            && cluster.row(id).await.is_ok_and(|row| row.is_some())
        {
            return Some(RunHandle { id, key: None, jobs: self.clone(), duplicate: false });
        }
        let key = self.inner.pool.key_of(id)?;
        Some(RunHandle { id, key: Some(key), jobs: self.clone(), duplicate: false })
    }

    /// Cancels a run: [`RunHandle::cancel`], which says what becomes of it. `false` when it has ended already, or is not
    /// known here. In a cluster also where the server does not answer, which is not to know whether it was; the log says so.
    pub async fn cancel(&self, id: RunId) -> bool {
        self.try_cancel(id).await.unwrap_or(false)
    }

    /// The same, and an error where it is not known.
    pub(crate) async fn try_cancel(&self, id: RunId) -> Result<bool, SubmitError> {
        #[cfg(feature = "sqlite")]
        if let Some(durable) = &self.inner.durable {
            durable.settled(id).await;
        }
        let key = self.inner.pool.key_of(id);
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get()
            && key.is_none_or(|key| self.inner.pool.read(|memory| memory.is_claimed(key)))
        {
            return cluster.cancel(id).await;
        }
        Ok(key.is_some_and(|key| self.inner.pool.cancel(key)))
    }
}

impl Jobs {
    /// Makes a run once more that has ended, with the same arguments, as a run of its own: [`MadeBy::Retry`] names the one it
    /// was made from. For what has failed for good when its cause is gone. It goes into the queue of the old one, with its
    /// priority, and is made whatever `unique` says.
    ///
    /// # Errors
    ///
    /// A run that is not known here, or not kept any more; one that has not ended; one whose arguments are not kept, as
    /// [`RunSnapshot::arguments`] says; an instance that has been shut down.
    pub async fn retry(&self, id: RunId) -> Result<RunHandle, SubmitError> {
        self.retry_for(id, None).await
    }

    /// The same, with who asked for it on the status page.
    pub(crate) async fn retry_for(&self, id: RunId, who: Option<&str>) -> Result<RunHandle, SubmitError> {
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get() {
            return cluster.retry(self, id, who).await;
        }
        let pool = &self.inner.pool;
        let found = pool.key_of(id).and_then(|key| pool.found(key));
        let Some(Found { job, run, reader, .. }) = found else { return Err(SubmitError::unknown_run(id)) };
        if !run.state.is_final() {
            return Err(SubmitError::live_run(id, run.state));
        }
        let body = reader.and_then(|reader| reader.body()).ok_or_else(|| SubmitError::no_arguments(id))?;
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        let body = self.written(&run.job, body)?;
        let (id, key) = pool.submit_again(job, body, id).map_err(|Closed| SubmitError::shut_down())?;
        let handle = RunHandle { id, key: Some(key), jobs: self.clone(), duplicate: false };
        handle.set_requested_by(who);
        Accepted::here(handle).safe().await
    }
}

impl RunHandle {
    /// Says of the run who asked for it on the status page; one that was there before was asked for by somebody else.
    pub(super) fn set_requested_by(&self, who: Option<&str>) {
        #[cfg(feature = "web")]
        if let (false, Some(key), Some(who)) = (self.duplicate, self.key, who) {
            self.jobs.inner.pool.set_requested_by(key, who);
        }
        #[cfg(not(feature = "web"))]
        let _ = who;
    }

    /// What is known of the run; none when it is not kept any more, as [`wait`](Self::wait) says.
    #[must_use]
    pub fn snapshot(&self) -> Option<RunSnapshot> {
        self.jobs.inner.pool.found(self.here()?).map(|found| self.jobs.complete(found))
    }
}

/// A part of the runs that a query is about.
#[derive(Debug)]
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "whoever lists them wants all"))]
pub(crate) struct Part {
    pub(crate) runs: Vec<RunSnapshot>,
    /// The run to go on before, where more looks may find more.
    pub(crate) next: Option<RunId>,
    /// The store does not answer: there may be more.
    pub(crate) error: Option<SubmitError>,
}

impl Part {
    fn all(runs: Vec<RunSnapshot>) -> Self {
        Self { runs, next: None, error: None }
    }
}

/// Which runs [`Jobs::runs`] gives. Without a word it is the last hundred.
#[derive(Debug, Clone)]
#[must_use = "nothing is looked for until `list` is awaited"]
pub struct RunQuery {
    jobs: Jobs,
    job: Option<String>,
    filter: Filter,
    text: Option<String>,
    before: Option<RunId>,
    limit: usize,
}

impl RunQuery {
    /// Those of one job, by its name or an alias. Of a job that there is not, there are none. In a cluster those are found that are
    /// live, and of those that have ended the last 10 000, which is as many as `jobs.retention_count` keeps where nothing is said.
    pub fn job(mut self, name: impl Into<String>) -> Self {
        self.job = Some(name.into());
        self
    }

    /// Those in a state. Said more than once, those in any of the states.
    pub fn state(mut self, state: RunState) -> Self {
        self.filter.states.push(state);
        self
    }

    /// Those in a queue.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.filter.queue = Some(name.into());
        self
    }

    /// Those that were made from one instant on and before another.
    pub fn between(mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        self.filter.from = Some(Timestamp::from_chrono(from));
        self.filter.to = Some(Timestamp::from_chrono(to));
        self
    }

    /// Those with a text in their arguments as they are shown, their output, or the message of their outcome. Capital letters
    /// make no difference. All arguments are written down for it, so narrow the query by other means as well.
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into().to_lowercase());
        self
    }

    /// Those made before a run: to go on behind the last that a query has given.
    pub fn before(mut self, run: RunId) -> Self {
        self.before = Some(run);
        self
    }

    /// Only those that have ended, or only those that have not.
    #[cfg(feature = "web")]
    pub(crate) fn only_final(mut self, is_final: bool) -> Self {
        self.filter.is_final = Some(is_final);
        self
    }

    /// At most so many. Default: 100.
    pub fn limit(mut self, count: usize) -> Self {
        self.limit = count;
        self
    }

    /// The runs, the youngest first. It looks at a few at a time, so that it holds nobody up; what changes meanwhile may
    /// be seen or not. Where the server of a cluster does not answer, the log says so, and there are fewer or none:
    /// [`try_list`](Self::try_list) tells that.
    pub async fn list(self) -> Vec<RunSnapshot> {
        self.part(usize::MAX).await.runs
    }

    /// The same, all of them or none.
    ///
    /// # Errors
    ///
    /// In a cluster, a server that does not answer ([`SubmitError::is_not_answered`]), and a process that has left it.
    pub async fn try_list(self) -> Result<Vec<RunSnapshot>, SubmitError> {
        let Part { runs, error, .. } = self.part(usize::MAX).await;
        error.map_or(Ok(runs), Err)
    }

    /// The same, after so many looks at a few runs each.
    pub(crate) async fn part(self, looks: usize) -> Part {
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.jobs.inner.cluster.get().cloned() {
            return self.part_in_cluster(&cluster, looks).await;
        }
        let Self { jobs, job, mut filter, text, mut before, limit } = self;
        let pool = &jobs.inner.pool;
        let mut runs = Vec::new();
        let add = |runs: &mut Vec<RunSnapshot>, found: Vec<Found>| {
            let complete = found.into_iter().map(|found| jobs.complete(found));
            let room = limit - runs.len();
            runs.extend(complete.filter(|run| contains(run, text.as_deref())).take(room));
        };
        let most = |room| if text.is_some() { AT_A_TIME } else { AT_A_TIME.min(room) };
        if let Some(name) = job {
            let Ok(ix) = jobs.find_job(&name) else { return Part::all(runs) };
            filter.job = Some(ix);
        }
        // Among all runs those of one job, or those that execute, may be few and far between.
        let keys = match filter.job {
            _ if filter.states == [RunState::Running] => Some(pool.runs_executed(before)),
            Some(ix) => Some(pool.runs_of(ix, before)),
            None => None,
        };
        if let Some(keys) = keys {
            let mut keys = keys.into_iter().map(|(_, key)| key);
            while runs.len() < limit && keys.len() > 0 {
                let found = pool.look_at(&filter, &mut keys, most(limit - runs.len()));
                add(&mut runs, found);
                if keys.len() > 0 {
                    coop::consume_budget().await;
                }
            }
            return Part::all(runs);
        }
        for _ in 0..looks {
            if runs.len() >= limit {
                return Part::all(runs);
            }
            let (found, next) = pool.look_through(&filter, before, most(limit - runs.len()));
            add(&mut runs, found);
            before = next;
            if before.is_none() {
                return Part::all(runs);
            }
            coop::consume_budget().await;
        }
        let is_full = runs.len() >= limit;
        Part { runs, next: before.filter(|_| !is_full), error: None }
    }
}

#[cfg(feature = "postgres")]
impl RunQuery {
    /// The same of a cluster, whose server finds the runs, but for those that are bound to this process; a text is looked
    /// for in what is shown of them.
    async fn part_in_cluster(self, cluster: &super::cluster::Cluster, looks: usize) -> Part {
        let bound = self.bound();
        let Self { jobs, job, filter, text, mut before, limit } = self;
        let mut runs = Vec::new();
        // As many runs as elsewhere, and fewer questions.
        let mut error = cluster.silence();
        for _ in 0..looks.div_ceil(ASKED_FOR / AT_A_TIME) {
            if error.is_some() {
                break;
            }
            let room = limit - runs.len();
            if room == 0 {
                break;
            }
            let most = if text.is_some() { ASKED_FOR } else { room.min(1000) };
            let found = match cluster.runs(&jobs, job.as_deref(), &filter, before, most).await {
                Ok(found) => found,
                Err(unanswered) => {
                    error = Some(unanswered);
                    break;
                }
            };
            before = found.last().map(|run| run.id).filter(|_| found.len() == most);
            runs.extend(found.into_iter().filter(|run| contains(run, text.as_deref())).take(room));
            if before.is_none() {
                break;
            }
        }
        let next = before.filter(|_| runs.len() < limit);
        // As far as the server has looked.
        runs.extend(bound.into_iter().filter(|run| next.is_none_or(|next| run.id >= next)));
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        runs.truncate(limit);
        Part { runs, next, error }
    }

    /// Those that no other process knows of: of closures, and what the start runs.
    fn bound(&self) -> Vec<RunSnapshot> {
        let Self { jobs, job, filter, text, before, limit } = self;
        let pool = &jobs.inner.pool;
        let ix = match job.as_deref().map(|name| jobs.find_job(name)) {
            Some(Err(_)) => return Vec::new(),
            Some(Ok(ix)) => Some(ix),
            None => None,
        };
        let mut keys = pool.bound_runs(ix, *before).into_iter().map(|(_, key)| key);
        let mut runs = Vec::new();
        while runs.len() < *limit && keys.len() > 0 {
            let found = pool.look_at(filter, &mut keys, AT_A_TIME).into_iter();
            let complete = found.map(|found| jobs.complete(found));
            runs.extend(complete.filter(|run| contains(run, text.as_deref())));
        }
        runs
    }
}

impl Jobs {
    /// Adds what is known elsewhere: the key of the schedule, and the arguments, which are written by code of the user.
    pub(super) fn complete(&self, found: Found) -> RunSnapshot {
        let Found { mut run, reader, schedule: of, .. } = found;
        let arguments = reader.and_then(|reader| reader.arguments());
        run.arguments = arguments.map(|arguments| cut(arguments.shown().to_string(), ARGUMENTS));
        if let MadeBy::Slot { schedule, .. } = &mut run.made_by {
            let key = |key| {
                self.inner
                    .scheduler
                    .read(|timers| timers.get(key).map(|planned| planned.identity.key(&planned.timing)))
            };
            *schedule = of.and_then(key);
        }
        run
    }
}

fn contains(run: &RunSnapshot, text: Option<&str>) -> bool {
    let Some(text) = text else { return true };
    let message = run.outcome.as_ref().and_then(Outcome::message);
    let texts = [run.arguments.as_deref(), run.output.as_deref(), message];
    texts.into_iter().flatten().any(|one| one.to_lowercase().contains(text))
}
