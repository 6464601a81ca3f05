//! What a page shows of the whole cluster where it would else show what this process knows by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::Cluster;
use super::census::{Account, Census};
use crate::job::RunState;
use crate::runtime::Jobs;
use crate::runtime::overview::{Elsewhere, JobBrief, Workload};
use crate::runtime::queues::QueueSnapshot;
use crate::runtime::snapshot::{JobSnapshot, JobStatus, PreviousRun, previous_run};
use crate::store::memory::{JobIx, JobState, Memory};

/// The cluster as the server tells of it, and with it what is bound to this process: closures, and what the start runs.
#[derive(Debug)]
pub(in crate::runtime) struct Whole {
    census: Arc<Census>,
    jobs: HashMap<JobIx, Account>,
    queues: BTreeMap<String, Account>,
    last: HashMap<JobIx, PreviousRun>,
    /// Runs of jobs that this process does not know.
    elsewhere: Vec<Elsewhere>,
}

impl Whole {
    /// None where there is no cluster, or the server does not answer.
    pub(in crate::runtime) async fn of(jobs: &Jobs) -> Option<Self> {
        let cluster = jobs.inner.cluster.get()?;
        let census = cluster.census().await?;
        let pool = &jobs.inner.pool;
        let mut whole = pool.read(|memory| Self::join(cluster, census, memory));
        // Which the server counts already.
        for (job, queue) in pool.closures_claimed(&cluster.recorder.host.claimed()) {
            let less = |account: &mut Account| account.available = account.available.saturating_sub(1);
            whole.jobs.entry(job).and_modify(less);
            whole.queues.entry(queue).and_modify(less);
        }
        for (job, queue) in pool.bound_running() {
            whole.jobs.entry(job).or_default().running += 1;
            whole.queues.entry(queue).or_default().running += 1;
        }
        Some(whole)
    }

    fn join(cluster: &Cluster, census: Arc<Census>, memory: &Memory) -> Self {
        let find = |name: &str| cluster.known.get(name).map(|job| job.ix).or_else(|| memory.job_named(name));
        let mut jobs: HashMap<JobIx, Account> = HashMap::new();
        let mut queues: BTreeMap<_, _> =
            census.queues.iter().map(|(name, account)| (name.clone(), *account)).collect();
        let mut elsewhere = Vec::new();
        for (name, account) in &census.jobs {
            match find(name) {
                // By its names of before, too.
                Some(ix) => {
                    let before = jobs.entry(ix).or_default();
                    *before = before.plus(account);
                }
                None => elsewhere.push(Elsewhere {
                    job: name.clone(),
                    running: account.running,
                    queued: account.available + account.waiting,
                    delayed: account.scheduled,
                }),
            }
        }
        elsewhere.sort_by(|one, other| one.job.cmp(&other.job));
        let mut last: HashMap<JobIx, PreviousRun> = HashMap::new();
        let mut later = |ix, run: PreviousRun| {
            let known = last.get(&ix);
            if known.is_none_or(|known| known.finished_at < run.finished_at) {
                last.insert(ix, run);
            }
        };
        for (name, run) in &census.last {
            if let Some(ix) = find(name) {
                later(ix, run.clone());
            }
        }
        for (ix, job) in memory.jobs() {
            if let Some(previous) = &job.previous {
                later(ix, previous_run(previous));
            }
            if job.info.is_func {
                let bound = bound(job);
                let before = jobs.entry(ix).or_default();
                *before = before.plus(&bound);
                let queue: &mut Account = queues.entry(job.info.limits.queue.to_string()).or_default();
                queue.available += bound.available;
            }
        }
        Self { census, jobs, queues, last, elsewhere }
    }

    fn account(&self, job: JobIx) -> Account {
        self.jobs.get(&job).copied().unwrap_or_default()
    }

    /// A job as the cluster sees it.
    pub(in crate::runtime) fn widen(&self, brief: &mut JobBrief) {
        let account = self.account(brief.ix);
        brief.status = status(&account);
        brief.running = account.running;
        brief.queued = account.available + account.waiting;
        brief.retrying = account.retrying;
        brief.has_failed = self.last.get(&brief.ix).is_some_and(|run| run.outcome.is_failure());
    }

    /// The same of a job in full.
    pub(in crate::runtime) fn widen_in_full(&self, ix: JobIx, job: &mut JobSnapshot) {
        let account = self.account(ix);
        job.status = status(&account);
        job.running = account.running;
        job.queued = account.available;
        job.waiting = account.waiting;
        job.delayed = account.scheduled;
        job.retrying = account.retrying;
        job.previous = self.last.get(&ix).cloned();
    }

    /// Of many jobs the last runs may be those of a moment ago; of one it is found out.
    pub(in crate::runtime) async fn look_closer(&self, jobs: &Jobs, job: &mut JobSnapshot) {
        let Some(cluster) = jobs.inner.cluster.get() else { return };
        if cluster.silence().is_some() {
            return;
        }
        let last = cluster.last_of(cluster.names_of(&job.name)).await.unwrap_or_default();
        let all = last.into_values().chain(job.previous.take());
        job.previous = all.max_by_key(|run| run.finished_at);
    }

    /// The same of the queues, whose limits are of each process, with those that only others know.
    pub(in crate::runtime) fn widen_queues(&self, queues: &mut Vec<QueueSnapshot>) {
        let known = |name: &String| queues.iter().any(|queue| queue.name == *name);
        let others: Vec<_> =
            self.queues.keys().chain(&self.census.paused).filter(|name| !known(name)).collect();
        let others: BTreeSet<String> = others.into_iter().cloned().collect();
        queues.extend(others.into_iter().map(|name| QueueSnapshot {
            paused: self.census.paused.contains(&name),
            name,
            size: None,
            running: 0,
            queued: 0,
            queued_since: None,
        }));
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        for queue in queues {
            let account = self.queues.get(&queue.name).copied().unwrap_or_default();
            queue.running = account.running;
            queue.queued = account.available;
            queue.queued_since = account.oldest;
        }
    }

    /// What is to be done, and who does it.
    pub(in crate::runtime) fn workload(&self) -> Workload {
        let known = self.jobs.values().map(|account| (account.running, account.available));
        let unknown = self.elsewhere.iter().map(|job| (job.running, job.queued));
        let (running, queued) =
            known.chain(unknown).fold((0, 0), |(a, b), (running, queued)| (a + running, b + queued));
        Workload { running, queued, nodes: self.census.nodes.clone(), elsewhere: self.elsewhere.clone() }
    }
}

/// What of a closure's waits here, and nowhere else.
fn bound(job: &JobState) -> Account {
    Account {
        available: job.available as usize,
        scheduled: job.scheduled as usize,
        retrying: job.retrying as usize,
        ..Account::default()
    }
}

fn status(account: &Account) -> JobStatus {
    match account {
        Account { running: 1.., .. } => JobStatus::Running,
        Account { available: 1.., .. } | Account { waiting: 1.., .. } => JobStatus::Queued,
        Account { retrying: 1.., .. } => JobStatus::Retrying,
        _ => JobStatus::Idle,
    }
}

impl Cluster {
    /// What the last runs of some jobs came to that have ended, of each so many, the last first; by the names that were given.
    pub(in crate::runtime) async fn last_ended(
        &self,
        jobs: &[&str],
        most: usize,
    ) -> HashMap<String, Vec<(RunState, Option<Duration>)>> {
        let asked =
            jobs.iter().flat_map(|name| self.names_of(name).into_iter().map(move |known| (known, *name)));
        let asked: HashMap<String, &str> = asked.collect();
        let names: Vec<String> = asked.keys().cloned().collect();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let ended = self.look(move |db| async move { db.last_ended(&names, most).await }).await;
        let mut found: HashMap<String, Vec<_>> = HashMap::new();
        for (name, state, took) in ended.unwrap_or_default() {
            let state = RunState::ALL.into_iter().find(|known| known.as_str() == state);
            if let (Some(state), Some(job)) = (state, asked.get(&name)) {
                found.entry((*job).to_owned()).or_default().push((state, took));
            }
        }
        found
    }
}
