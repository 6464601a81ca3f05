//! What there is in the whole cluster, in numbers.
#![cfg_attr(
    not(feature = "web"),
    allow(dead_code, reason = "the status page shows more than `Jobs::cluster` gives")
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::{Cluster, outcome};
use crate::clock::Elapsed;
use crate::job::RunState;
use crate::job::run::RunId;
use crate::runtime::error::SubmitError;
use crate::runtime::nodes::NodeSnapshot;
use crate::runtime::snapshot::PreviousRun;
use crate::store::postgres::{Id, LastRun, LiveRuns, NodeRow};

/// A cluster at one moment, in numbers.
#[derive(Debug)]
pub(in crate::runtime) struct Census {
    pub(in crate::runtime) nodes: Vec<NodeSnapshot>,
    /// By the names of their jobs there.
    pub(in crate::runtime) jobs: HashMap<String, Account>,
    pub(in crate::runtime) queues: HashMap<String, Account>,
    /// Queues that are paused.
    pub(in crate::runtime) paused: Vec<String>,
    /// The run that ended last, of each job that is known here, by the same names.
    pub(in crate::runtime) last: HashMap<String, PreviousRun>,
}

/// Live runs that have something in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::runtime) struct Account {
    pub(in crate::runtime) running: usize,
    pub(in crate::runtime) available: usize,
    pub(in crate::runtime) waiting: usize,
    pub(in crate::runtime) scheduled: usize,
    /// How many of the scheduled wait to be tried again.
    pub(in crate::runtime) retrying: usize,
    /// Since when the one is available that has been for longest.
    pub(in crate::runtime) oldest: Option<DateTime<Utc>>,
}

impl Account {
    fn add(&mut self, runs: &LiveRuns) {
        let count = usize::try_from(runs.runs).unwrap_or(usize::MAX);
        match RunState::ALL.into_iter().find(|state| state.as_str() == runs.state) {
            Some(RunState::Running) => self.running += count,
            Some(RunState::Available) => self.available += count,
            Some(RunState::Waiting) => self.waiting += count,
            Some(RunState::Scheduled) => {
                self.scheduled += count;
                self.retrying += usize::try_from(runs.retries).unwrap_or(usize::MAX);
            }
            _ => {}
        }
        self.oldest = [self.oldest, runs.oldest].into_iter().flatten().min();
    }

    /// Both together.
    pub(in crate::runtime) fn plus(self, other: &Self) -> Self {
        Self {
            running: self.running + other.running,
            available: self.available + other.available,
            waiting: self.waiting + other.waiting,
            scheduled: self.scheduled + other.scheduled,
            retrying: self.retrying + other.retrying,
            oldest: [self.oldest, other.oldest].into_iter().flatten().min(),
        }
    }

    /// How many are in each state that any is in.
    pub(super) fn by_state(&self) -> impl Iterator<Item = (RunState, u64)> {
        let all = [
            (RunState::Scheduled, self.scheduled),
            (RunState::Waiting, self.waiting),
            (RunState::Available, self.available),
            (RunState::Running, self.running),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).map(|(state, count)| (state, count as u64))
    }
}

/// Of more jobs than these the last runs are not looked for at every look, but when those that are known are older than
/// [`STALE`]; whoever looks meanwhile sees those.
const AT_EVERY_LOOK: usize = 500;
const STALE: Duration = Duration::from_secs(5);

/// The last runs of many jobs, when they were looked for, and whether they are just now.
#[derive(Default)]
pub(super) struct LastRuns {
    looked: Option<Elapsed>,
    is_looking: bool,
    runs: HashMap<String, PreviousRun>,
}

/// The last answer, for those who ask for the same at the same time: of any number two ask the server at most.
#[derive(Default)]
pub(super) struct LastCensus {
    begun: AtomicU64,
    /// With its number.
    last: Mutex<(u64, Option<Arc<Census>>)>,
}

impl Cluster {
    /// What there is, as it was at some moment after the call. None where the server does not answer.
    pub(in crate::runtime) async fn census(self: &Arc<Self>) -> Option<Arc<Census>> {
        // Nobody waits for a page until it is certain once more that the server does not answer.
        if self.silence().is_some() {
            return None;
        }
        let LastCensus { begun, last } = &self.last_census;
        let before = begun.load(Ordering::SeqCst);
        let mut last = last.lock().await;
        if last.0 <= before {
            let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
            let census = self.whole_census().await.ok();
            *last = (number, census.map(Arc::new));
        }
        last.1.clone()
    }

    async fn whole_census(self: &Arc<Self>) -> Result<Census, SubmitError> {
        let names = self.names();
        if names.len() <= AT_EVERY_LOOK {
            return self.take_census(names).await;
        }
        let mut census = self.take_census(Vec::new()).await?;
        let is_first = self.lock_last_runs().looked.is_none();
        if is_first {
            self.look_for_last_runs(names).await;
        } else if self.are_last_runs_stale() {
            let cluster = Arc::clone(self);
            if let Some(node) = self.node() {
                node.spawn(async move { cluster.look_for_last_runs(names).await });
            }
        }
        census.last = self.lock_last_runs().runs.clone();
        Ok(census)
    }

    fn lock_last_runs(&self) -> MutexGuard<'_, LastRuns> {
        // Each step leaves it whole.
        self.last_runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether they are to be looked for by whoever asks.
    fn are_last_runs_stale(&self) -> bool {
        let now = self.recorder.host.clock.now().elapsed;
        let mut last = self.lock_last_runs();
        let is_stale = !last.is_looking && last.looked.is_none_or(|looked| now.since(looked) >= STALE);
        last.is_looking |= is_stale;
        is_stale
    }

    async fn look_for_last_runs(&self, names: Vec<String>) {
        let found = self.last_of(names).await;
        let mut last = self.lock_last_runs();
        last.is_looking = false;
        if let Ok(runs) = found {
            last.runs = runs;
            last.looked = Some(self.recorder.host.clock.now().elapsed);
        }
    }

    /// The run that ended last, of each of some jobs, by their names there.
    pub(in crate::runtime) async fn last_of(
        &self,
        names: Vec<String>,
    ) -> Result<HashMap<String, PreviousRun>, SubmitError> {
        let last = self.steer(move |db| async move { db.last_of_each(&names).await }).await?;
        Ok(last.into_iter().map(|last| (last.job.clone(), previous(last))).collect())
    }

    /// The jobs that have runs there.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.known.iter().map(|(name, _)| name.to_owned()).collect();
        // Closures with schedules, which others may execute too.
        names.extend(self.recorder.host.pool.read(|memory| {
            let closures = memory.jobs().filter(|(_, job)| job.info.is_func);
            closures.map(|(_, job)| job.info.name.to_string()).collect::<Vec<_>>()
        }));
        names
    }

    /// With the last runs of some jobs.
    pub(super) async fn take_census(&self, last_of: Vec<String>) -> Result<Census, SubmitError> {
        let this = self.node().map(|node| node.id());
        let asked = self.steer(move |db| async move {
            Ok((db.nodes().await?, db.live().await?, db.paused_queues().await?))
        });
        let (nodes, live, paused) = asked.await?;
        let last = if last_of.is_empty() { HashMap::new() } else { self.last_of(last_of).await? };
        let (mut jobs, mut queues) = (HashMap::<_, Account>::new(), HashMap::<_, Account>::new());
        for runs in live {
            jobs.entry(runs.job.clone()).or_default().add(&runs);
            queues.entry(runs.queue.clone()).or_default().add(&runs);
        }
        Ok(Census {
            nodes: nodes.into_iter().map(|row| told(row, this)).collect(),
            jobs,
            queues,
            paused,
            last,
        })
    }
}

fn told(row: NodeRow, this: Option<Id>) -> NodeSnapshot {
    NodeSnapshot {
        is_this: this == Some(row.id),
        name: row.name,
        started_at: row.started,
        silent: row.silent,
        running: row.runs.iter().map(|(_, count)| count).sum(),
        runs: row.runs,
    }
}

fn previous(last: LastRun) -> PreviousRun {
    PreviousRun {
        id: RunId::from_u128(last.id.0),
        slot: last.slot,
        started_at: last.started,
        finished_at: last.finished,
        outcome: outcome::read(last.outcome.as_deref(), last.message),
    }
}
