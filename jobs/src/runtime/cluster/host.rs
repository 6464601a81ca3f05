//! The pool of this process, as the node sees it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::hooks::{Event, Hooks, JobChange, JobEvent};
use crate::job::body::{Body, Template};
use crate::job::options::Origin;
use crate::job::run::RunId;
use crate::job::slot::Slot;
use crate::pool::Pool;
use crate::runtime::Jobs;
use crate::runtime::known::{Known, body};
use crate::scheduler::task::Scheduler;
use crate::store::journal::Details;
use crate::store::memory::{ClaimedRun, JobIx};
use crate::store::postgres::{self, Claimed, ClusterView, Fence, Id, InForce, Limited, Registration, Room};
use crate::telemetry::panics;

/// The pool and the schedules of this process, as the node sees them.
pub(super) struct Host {
    pub(super) pool: Arc<Pool>,
    scheduler: Arc<Scheduler>,
    pub(super) clock: Arc<Clock>,
    hooks: Arc<Hooks>,
    known: Arc<Known>,
    terms: Mutex<Terms>,
    /// Closures with schedules, by their names.
    closures: Mutex<HashMap<String, (JobIx, Template)>>,
    claims: Mutex<Claims>,
}

/// What is executed here and kept, by the config that holds.
#[derive(Debug, Clone)]
struct Terms {
    /// The jobs without limits of their own, closures with schedules among them.
    jobs: Arc<[String]>,
    limited: Arc<[Limited]>,
    /// How long runs that have ended are kept, and how many of each job.
    retention: (Duration, usize),
}

impl Terms {
    fn of(jobs: &Jobs, known: &Known) -> Self {
        let mut unlimited = Vec::new();
        let mut limited = Vec::new();
        jobs.inner.pool.read(|memory| {
            for (name, job) in known.iter() {
                let info = &memory.job(job.ix).info;
                if !info.enabled {
                    continue;
                }
                let (job, limits) = (name.to_owned(), &info.limits);
                if limits.concurrency.is_none() && limits.rate.is_none() {
                    unlimited.push(job);
                } else {
                    let concurrency = limits.concurrency.map(std::num::NonZeroU32::get);
                    let rate = limits.rate.map(|rate| (rate.count().get().into(), rate.per()));
                    limited.push(Limited { job, concurrency, rate });
                }
            }
        });
        let settings = jobs.inner.settings();
        Self {
            jobs: unlimited.into(),
            limited: limited.into(),
            retention: (settings.retention.value, settings.retention_count.value),
        }
    }
}

/// Runs that were claimed and have not ended.
#[derive(Debug, Default)]
struct Claims {
    standing: HashMap<RunId, Claim>,
    /// Those whose claim was lost while they were here: what they come to is for nobody, and until then they are not taken again.
    lost: HashSet<RunId>,
}

/// A claim that stands.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) fence: Fence,
    /// The name of its job there, where the run is one of a slot.
    pub(super) slot_of: Option<String>,
}

impl Host {
    pub(super) fn new(jobs: &Jobs, known: Arc<Known>) -> Self {
        let inner = &jobs.inner;
        let terms = Terms::of(jobs, &known);
        Self {
            pool: Arc::clone(&inner.pool),
            scheduler: Arc::clone(&inner.scheduler),
            clock: Arc::clone(&inner.clock),
            hooks: Arc::clone(&inner.hooks),
            known,
            terms: Mutex::new(terms),
            closures: Mutex::default(),
            claims: Mutex::default(),
        }
    }

    /// Goes by the config that holds now.
    pub(super) fn take_terms(&self, jobs: &Jobs) {
        let mut terms = Terms::of(jobs, &self.known);
        let closures = self.closures.lock().unwrap_or_else(PoisonError::into_inner);
        terms.jobs = terms.jobs.iter().chain(closures.keys()).cloned().collect();
        *self.terms() = terms;
    }

    fn terms(&self) -> MutexGuard<'_, Terms> {
        // Each step leaves it whole.
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        // Each step leaves it whole.
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claim of a run that has ended here; none where that was lost.
    pub(super) fn settle(&self, run: RunId) -> Option<Claim> {
        let mut claims = self.claims();
        if claims.lost.remove(&run) { None } else { claims.standing.remove(&run) }
    }

    /// The claim of a run that executes here; none where that was lost.
    pub(super) fn fence_of(&self, run: RunId) -> Option<Fence> {
        self.claims().standing.get(&run).map(|claim| claim.fence)
    }

    /// The runs that are here by a claim.
    #[cfg(feature = "web")]
    pub(super) fn claimed(&self) -> Vec<RunId> {
        self.claims().standing.keys().copied().collect()
    }

    /// A run as the pool takes it; none of a job that is not here any more. Its arguments are read by code of the user.
    fn read(&self, claimed: Claimed) -> Option<ClaimedRun> {
        let (job, body) = match self.known.get(&claimed.job) {
            Some(job) => (job.ix, body(job.read, Some(&claimed.args))),
            None => {
                let closures = self.closures.lock().unwrap_or_else(PoisonError::into_inner);
                let (job, template) = closures.get(&claimed.job)?;
                (*job, Ok(Body::Template(template.clone())))
            }
        };
        let slot = claimed.slot.map(|at| {
            let at = Timestamp::from_chrono(at);
            let caught_up = claimed.origin == postgres::CAUGHT_UP;
            Slot { caught_up, ..Slot::at(at) }
        });
        let key = claimed.schedule.as_deref();
        Some(ClaimedRun {
            id: RunId::from_u128(claimed.id.0),
            job,
            origin: origin_of(&claimed.origin),
            slot,
            schedule: key.and_then(|key| self.scheduler.shared_key(job, key)),
            attempt: u32::try_from(claimed.attempt - 1).unwrap_or(0),
            retries: u32::try_from(claimed.retries).unwrap_or(0),
            queue: claimed.queue,
            priority: i8::try_from(claimed.priority).unwrap_or(0),
            body,
            // What another version has written and this one cannot read is not worth the run.
            details: claimed.record.and_then(|record| serde_json::from_str::<Details>(&record).ok()),
            since: Timestamp::from_chrono(claimed.due),
        })
    }
}

fn origin_of(word: &str) -> Origin {
    match word {
        "slot" | postgres::CAUGHT_UP => Origin::Slot,
        "run_now" => Origin::RunNow,
        _ => Origin::Submission,
    }
}

impl Host {
    /// Executes the slots of a closure, also those that others fire.
    pub(super) fn add_closure(&self, name: String, job: JobIx, template: Template) {
        let mut closures = self.closures.lock().unwrap_or_else(PoisonError::into_inner);
        closures.insert(name.clone(), (job, template));
        let jobs = &mut self.terms().jobs;
        if !jobs.contains(&name) {
            *jobs = jobs.iter().cloned().chain([name]).collect();
        }
    }

    /// A closure has no schedules any more.
    pub(super) fn remove_closure(&self, name: &str) {
        let mut closures = self.closures.lock().unwrap_or_else(PoisonError::into_inner);
        if closures.remove(name).is_some() {
            let jobs = &mut self.terms().jobs;
            *jobs = jobs.iter().filter(|job| *job != name).cloned().collect();
        }
    }
}

impl postgres::Host for Host {
    fn jobs(&self) -> Arc<[String]> {
        Arc::clone(&self.terms().jobs)
    }

    fn limited(&self) -> Arc<[Limited]> {
        Arc::clone(&self.terms().limited)
    }

    fn retention(&self) -> (Duration, usize) {
        self.terms().retention
    }

    fn room(&self) -> Room {
        let places = self.pool.places();
        Room { count: places.count, waiting: places.waiting, closed: places.closed, queues: places.queues }
    }

    fn take(&self, runs: Vec<Claimed>) -> Vec<Fence> {
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for run in runs {
            let fence = Fence { id: run.id, claim_no: run.claim_no };
            let slot_of = run.slot.map(|_| run.job.clone());
            let is_here = self.claims().lost.contains(&RunId::from_u128(run.id.0));
            let Some(run) = (if is_here { None } else { self.read(run) }) else {
                refused.push(fence);
                continue;
            };
            // Before it can end.
            self.claims().standing.insert(run.id, Claim { fence, slot_of });
            taken.push(run);
        }
        for run in self.pool.take_claimed(taken) {
            refused.extend(self.settle(run.id).map(|claim| claim.fence));
            // Values of the user's, which may panic.
            let _ = panics::catch(|| drop(run));
        }
        refused
    }

    fn let_go_waiting(&self) -> Vec<Fence> {
        let gone = self.pool.let_go_waiting();
        gone.into_iter().filter_map(|run| Some(self.settle(run)?.fence)).collect()
    }

    fn cancel(&self, runs: Vec<Id>) {
        for run in runs {
            if let Some(key) = self.pool.key_of(RunId::from_u128(run.0)) {
                self.pool.cancel(key);
            }
        }
    }

    fn lost_claims(&self) {
        let lost: Vec<_> = {
            let mut claims = self.claims();
            let lost = std::mem::take(&mut claims.standing).into_keys().collect::<Vec<_>>();
            claims.lost.extend(&lost);
            lost
        };
        self.pool.lose_claims(lost.into_iter());
    }

    fn see(&self, view: ClusterView) {
        let changed = self.pool.see_pauses(&view.paused_jobs, &view.paused_queues);
        for (ix, paused) in changed {
            let what = if paused { JobChange::Paused } else { JobChange::Resumed };
            let job = || self.pool.read(|memory| memory.job(ix).info.name.to_string());
            let at = || self.clock.now().wall.to_chrono();
            self.hooks.bus.tell(|| Event::Job(JobEvent { at: at(), job: job(), what }));
        }
        let delays = view
            .delays
            .into_iter()
            .filter_map(|(job, key, next)| Some((self.job_named(&job)?, key, Timestamp::from_chrono(next))));
        self.scheduler.count_delays(delays.collect());
    }

    fn schedules(&self) -> Vec<Registration> {
        self.scheduler.registrations()
    }

    fn in_force(&self, schedules: Vec<InForce>) {
        let rows = schedules.into_iter().filter_map(|row| Some((self.job_named(&row.job)?, row)));
        self.scheduler.put_in_force(rows.collect());
    }
}

impl Host {
    fn job_named(&self, name: &str) -> Option<JobIx> {
        self.pool.read(|memory| memory.job_named(name))
    }
}
