//! All jobs in brief, and some of them in full: for a page that lists a few of many.
//!
//! Nobody is held up for a look: the locks are taken for a part of the jobs at a time, and what costs more than a
//! copy, such as saying a schedule in words, is done for those that are shown. So the parts may be of different
//! moments, where [`Jobs::snapshot`] is of one.

#[cfg(feature = "postgres")]
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Jobs;
#[cfg(feature = "postgres")]
use super::cluster::whole::Whole;
use super::nodes::NodeSnapshot;
use super::queues::{QueueSnapshot, queues};
use super::snapshot::{
    JobSnapshot, JobStatus, PoolSnapshot, ScheduleSnapshot, SourcePlace, job_snapshot, place_of,
    schedule_snapshot, status_of,
};
use crate::clock::Timestamp;
use crate::job::descriptor::Descriptor;
use crate::job::name::JobName;
use crate::job::snapshot::RunState;
use crate::registry::Timing;
use crate::scheduler::planned::ScheduleKey;
use crate::store::memory::{JobIx, Minute};

/// What a run that has ended came to, and how long it took if it has started.
pub(crate) type Ended = (RunState, Option<Duration>);

/// At how many jobs or schedules is looked under one lock.
const AT_A_TIME: usize = 128;

/// All jobs in brief.
#[derive(Debug)]
pub(crate) struct Overview {
    pub(crate) taken_at: DateTime<Utc>,
    /// Of this process.
    pub(crate) pool: PoolSnapshot,
    pub(crate) workload: Workload,
    /// By name.
    pub(crate) jobs: Vec<JobBrief>,
    #[cfg(feature = "postgres")]
    whole: Option<Whole>,
}

/// What is to be done, and who does it.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    /// How many runs execute, and how many could start and find no room: of the whole cluster, where there is one.
    pub(crate) running: usize,
    pub(crate) queued: usize,
    /// The processes of the cluster, the oldest first; none where there is no other to be.
    pub(crate) nodes: Vec<NodeSnapshot>,
    /// Runs of jobs that only other processes know, by their names.
    pub(crate) elsewhere: Vec<Elsewhere>,
}

/// Runs of a job that this process does not know.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "there are no other processes"))]
pub(crate) struct Elsewhere {
    pub(crate) job: String,
    pub(crate) running: usize,
    pub(crate) queued: usize,
    pub(crate) delayed: usize,
}

/// One job in brief.
#[derive(Debug)]
pub(crate) struct JobBrief {
    pub(super) ix: JobIx,
    pub(crate) name: JobName,
    descriptor: Option<&'static Descriptor>,
    pub(crate) enabled: bool,
    pub(crate) paused: bool,
    pub(crate) status: JobStatus,
    pub(crate) running: usize,
    /// How many wait, for room in the pool or for their predecessor.
    pub(crate) queued: usize,
    pub(crate) retrying: usize,
    /// Whether the run that ended last did not end well.
    pub(crate) has_failed: bool,
    pub(crate) schedules: Vec<ScheduleBrief>,
    pub(crate) next: Option<DateTime<Utc>>,
}

/// What has started and ended within one minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MinuteOfRuns {
    pub(crate) began: DateTime<Utc>,
    /// How many attempts have started.
    pub(crate) started: usize,
    /// How long all of them could have started and found no room.
    pub(crate) waited: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) ended: usize,
    /// How many of them did not end well.
    pub(crate) failed: usize,
    /// How long all of them took.
    pub(crate) took: Duration,
    pub(crate) longest: Duration,
}

/// One schedule in brief.
#[derive(Debug)]
pub(crate) struct ScheduleBrief {
    key: ScheduleKey,
    pub(crate) name: Option<Box<str>>,
    timing: Timing,
}

impl JobBrief {
    /// Whether it wants to be looked at.
    pub(crate) fn is_problem(&self) -> bool {
        self.retrying > 0 || self.has_failed
    }

    pub(crate) fn has_named_schedule(&self) -> bool {
        self.schedules.iter().any(|schedule| schedule.name.is_some())
    }

    pub(crate) fn description(&self) -> &'static str {
        self.descriptor.map_or("", |descriptor| descriptor.description)
    }

    pub(crate) fn place(&self) -> Option<SourcePlace> {
        self.descriptor.map(place_of)
    }
}

impl Workload {
    /// Of a process that is alone.
    fn of(pool: PoolSnapshot) -> Self {
        Self { running: pool.running, queued: pool.queued, ..Self::default() }
    }
}

impl ScheduleBrief {
    /// Whether its text, its words or its name hold some words in small letters.
    pub(crate) fn speaks_of(&self, words: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(words);
        self.name.as_deref().is_some_and(has)
            || match &self.timing {
                Timing::At(schedule) => has(schedule.text()) || has(&schedule.describe()),
                other => has(&other.to_string()),
            }
    }
}

impl Jobs {
    /// How full the pool is.
    pub(crate) fn pool_gauge(&self) -> PoolSnapshot {
        let gauge = self.inner.pool.gauge();
        PoolSnapshot { size: gauge.size, running: gauge.running, queued: gauge.queued }
    }

    /// How full the queues are, by name, and what there is to be done.
    pub(crate) async fn queue_gauges(&self) -> (Vec<QueueSnapshot>, Workload) {
        #[cfg_attr(not(feature = "postgres"), allow(unused_mut, reason = "there are no other processes"))]
        let mut queues = self.inner.pool.read(queues);
        #[cfg(feature = "postgres")]
        if let Some(whole) = Whole::of(self).await {
            whole.widen_queues(&mut queues);
            return (queues, whole.workload());
        }
        (queues, Workload::of(self.pool_gauge()))
    }

    /// The names of the queues.
    pub(crate) fn queue_names(&self) -> Vec<String> {
        self.inner.pool.read(queues).into_iter().map(|queue| queue.name).collect()
    }

    /// What has started and ended in each minute of the last hour, the oldest first.
    pub(crate) fn last_hour(&self) -> Vec<MinuteOfRuns> {
        let now = self.inner.clock.now().wall;
        let minutes = self.inner.pool.read(|memory| memory.last_hour(now));
        let told = |minute: &Minute| MinuteOfRuns {
            began: minute.began().to_chrono(),
            started: minute.started as usize,
            waited: minute.waited,
            longest_wait: minute.longest_wait,
            ended: minute.ended as usize,
            failed: minute.failed as usize,
            took: minute.took,
            longest: minute.longest,
        };
        minutes.iter().map(told).collect()
    }

    /// The names of all jobs, in their order; none where there are more than so many.
    pub(crate) fn job_names(&self, most: usize) -> Option<Vec<JobName>> {
        let mut names: Vec<JobName> = self
            .inner
            .pool
            .read(|memory| memory.jobs().take(most + 1).map(|(_, job)| job.info.name.clone()).collect());
        names.sort_unstable_by(|one, other| str::cmp(one, other));
        (names.len() <= most).then_some(names)
    }

    /// All jobs in brief: of the whole cluster, where there is one.
    pub(crate) async fn overview(&self) -> Overview {
        #[cfg_attr(not(feature = "postgres"), allow(unused_mut, reason = "there are no other processes"))]
        let mut overview = self.overview_here();
        #[cfg(feature = "postgres")]
        if let Some(whole) = Whole::of(self).await {
            overview.jobs.iter_mut().for_each(|job| whole.widen(job));
            overview.workload = whole.workload();
            overview.whole = Some(whole);
        }
        overview
    }

    pub(crate) fn overview_here(&self) -> Overview {
        let now = self.inner.clock.now();
        let mut jobs = self.briefs();
        for (job, schedule, next) in self.brief_schedules(|_| true) {
            // A job that came since the jobs were looked at is seen the next time.
            let Some(brief) = jobs.get_mut(job.place()) else { continue };
            brief.schedules.push(schedule);
            if brief.enabled && !brief.paused {
                brief.next = [brief.next, next.map(Timestamp::to_chrono)].into_iter().flatten().min();
            }
        }
        jobs.sort_unstable_by(|one, other| str::cmp(&one.name, &other.name));
        let pool = self.pool_gauge();
        Overview {
            taken_at: now.wall.to_chrono(),
            pool,
            workload: Workload::of(pool),
            jobs,
            #[cfg(feature = "postgres")]
            whole: None,
        }
    }

    /// Some jobs of an overview in full.
    pub(crate) fn in_full<'a>(
        &self,
        overview: &Overview,
        briefs: impl IntoIterator<Item = &'a JobBrief>,
    ) -> Vec<JobSnapshot> {
        #[cfg(not(feature = "postgres"))]
        let _ = overview;
        let full = |brief: &JobBrief| {
            #[cfg_attr(not(feature = "postgres"), allow(unused_mut, reason = "there are no other processes"))]
            let mut job = self.one_in_full(brief.ix, brief.schedules.iter().map(|schedule| schedule.key));
            #[cfg(feature = "postgres")]
            if let Some(whole) = &overview.whole {
                whole.widen_in_full(brief.ix, &mut job);
            }
            job
        };
        briefs.into_iter().map(full).collect()
    }

    /// One job in full, by its name or an alias.
    pub(crate) async fn job_in_full(&self, name: &str) -> Option<JobSnapshot> {
        #[cfg_attr(not(feature = "postgres"), allow(unused_mut, reason = "there are no other processes"))]
        let (_ix, mut job) = self.found_here(name)?;
        #[cfg(feature = "postgres")]
        if let Some(whole) = Whole::of(self).await {
            whole.widen_in_full(_ix, &mut job);
            whole.look_closer(self, &mut job).await;
        }
        Some(job)
    }

    /// The same as this process knows it: for what is alike in all of them.
    pub(crate) fn job_here(&self, name: &str) -> Option<JobSnapshot> {
        self.found_here(name).map(|(_, job)| job)
    }

    fn found_here(&self, name: &str) -> Option<(JobIx, JobSnapshot)> {
        let ix = self.find_job(name).ok()?;
        let keys = self.brief_schedules(|job| job == ix).into_iter().map(|(_, schedule, _)| schedule.key);
        Some((ix, self.one_in_full(ix, keys)))
    }

    /// What the last runs of some jobs that have ended came to, of each so many, and how long each took if it has started;
    /// the last first.
    pub(crate) async fn last_ended(&self, names: &[&str], count: usize) -> Vec<Vec<Ended>> {
        #[cfg(feature = "postgres")]
        let mut known = match self.inner.cluster.get() {
            Some(cluster) => cluster.last_ended(names, count).await,
            None => HashMap::new(),
        };
        let of = |name: &&str| {
            #[cfg(feature = "postgres")]
            if let Some(ended) = known.remove(*name) {
                return ended;
            }
            let ix = self.find_job(name).ok();
            ix.map_or_else(Vec::new, |ix| self.inner.pool.read(|memory| memory.last_ended(ix, count)))
        };
        names.iter().map(of).collect()
    }

    fn one_in_full(&self, ix: JobIx, keys: impl Iterator<Item = ScheduleKey>) -> JobSnapshot {
        let now = self.inner.clock.now();
        let of = |key| self.inner.scheduler.read(|timers| Some(schedule_snapshot(timers.get(key)?, now)));
        let mut schedules: Vec<ScheduleSnapshot> = keys.filter_map(of).collect();
        schedules.sort_by_key(|schedule| (schedule.next.is_none(), schedule.next));
        self.inner.pool.read(|memory| job_snapshot(memory.job(ix), schedules))
    }

    /// In the order of their places, which is that of the indices.
    fn briefs(&self) -> Vec<JobBrief> {
        let mut jobs = Vec::new();
        loop {
            let before = jobs.len();
            self.inner.pool.read(|memory| {
                let part = memory.jobs().skip(before).take(AT_A_TIME);
                jobs.extend(part.map(|(ix, job)| JobBrief {
                    ix,
                    name: job.info.name.clone(),
                    descriptor: job.info.descriptor,
                    enabled: job.info.enabled,
                    paused: job.paused_since.is_some(),
                    status: status_of(job),
                    running: job.running as usize,
                    queued: job.available as usize + job.waiting(),
                    retrying: job.retrying as usize,
                    has_failed: job.previous.as_deref().is_some_and(|run| run.outcome.is_failure()),
                    schedules: Vec::new(),
                    next: None,
                }));
            });
            if jobs.len() < before + AT_A_TIME {
                return jobs;
            }
        }
    }

    /// The schedules of some jobs, with their next slots.
    fn brief_schedules(
        &self,
        wanted: impl Fn(JobIx) -> bool,
    ) -> Vec<(JobIx, ScheduleBrief, Option<Timestamp>)> {
        let now = self.inner.clock.now();
        let mut all = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next {
            next = self.inner.scheduler.read(|timers| {
                let part = timers.some_schedules(from, AT_A_TIME);
                all.extend(part.filter(|(_, planned)| wanted(planned.job)).map(|(key, planned)| {
                    let (name, timing) = (planned.identity.name.clone(), planned.timing.clone());
                    (planned.job, ScheduleBrief { key, name, timing }, planned.next_slot(now))
                }));
                (from + AT_A_TIME < timers.places()).then_some(from + AT_A_TIME)
            });
        }
        all
    }
}
