//! Another config for an instance that runs.

mod diff;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};

use super::error::StartError;
use super::start::{Prepared, prepare, retention};
use super::{Inner, Jobs, Phase};
use crate::clock::Reading;
use crate::config::{Config, Settings};
use crate::error::{Place, Problem};
use crate::job::descriptor::Descriptor;
use crate::job::name::JobName;
use crate::registry::{self, Registered, Resolved};
use crate::scheduler::ledger::Keep;
use crate::scheduler::planned::{Planned, ScheduleKey};
use crate::store::memory::JobIx;
use diff::Step;

/// The schedules that the source and the config have given each job, in their order.
pub(super) type Declared = HashMap<JobIx, Vec<Option<ScheduleKey>>>;

/// What a [`reload`](Jobs::reload) has changed. `Display` writes a line for each, or `nothing changed`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reloaded {
    /// Schedules that were added, taken out, or given another meaning, by the name of their job.
    pub schedules: Vec<ReloadedSchedule>,
    /// Keys of jobs that have another value now.
    pub settings: Vec<ReloadedSetting>,
    /// Keys that differ and take effect when the program is started again.
    pub needs_restart: Vec<String>,
}

/// A schedule that a reload has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadedSchedule {
    /// The name of the job.
    pub job: String,
    /// The key of the schedule among those of its job.
    pub schedule: String,
    /// What it was; none when it was added.
    pub before: Option<ScheduleMeaning>,
    /// What it is now; none when it was taken out.
    pub after: Option<ScheduleMeaning>,
}

/// What a schedule means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleMeaning {
    /// The schedule in its canonical form, with its zone where it names one; `off` where the config switches it off.
    pub text: String,
    /// When it fires next; none where it does not.
    pub next: Option<DateTime<Utc>>,
}

/// A key of a job that a reload has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadedSetting {
    /// The key, such as `job.send.retries`.
    pub key: String,
    /// Its value before.
    pub before: String,
    /// Its value now.
    pub after: String,
}

impl Reloaded {
    /// Whether nothing differs, not even what needs a restart.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schedules = self.schedules.iter().map(ToString::to_string);
        let settings = self.settings.iter().map(ToString::to_string);
        let restart = self.needs_restart.iter().map(|key| format!("{key}: takes effect at the next start"));
        let lines: Vec<_> = schedules.chain(settings).chain(restart).collect();
        f.write_str(if lines.is_empty() { "nothing changed" } else { "" })?;
        f.write_str(&lines.join("\n"))
    }
}

/// `cron.nightly of backup: 0 0 3 * * * (next 2026-03-03 03:00:00 UTC) → off`.
impl fmt::Display for ReloadedSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, schedule, before, after } = self;
        write!(f, "{schedule} of {job}: ")?;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "{before} → {after}"),
            (None, Some(after)) => write!(f, "added, {after}"),
            (Some(before), None) => write!(f, "taken out, was {before}"),
            (None, None) => f.write_str("unchanged"),
        }
    }
}

impl fmt::Display for ScheduleMeaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.next.map_or(Ok(()), |next| write!(f, " (next {next})"))
    }
}

impl fmt::Display for ReloadedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.key, self.before, self.after)
    }
}

impl Jobs {
    /// Takes another config without a restart: what named schedules stand for, and what the deployment says about single
    /// jobs. It says what has changed, with the next fire times before and after.
    ///
    /// Everything or nothing: where the config has a mistake, all of them are told and nothing has changed.
    ///
    /// A schedule goes on from now under the meaning that it has now. Its key, its ledger and its counts stay where its key
    /// does; one that has not changed is not touched, and an interval is not begun anew. A delay that is another is counted from
    /// the end of the last run. The same holds for schedules that the program
    /// has added by a name of the config. `timeout`, `retries`, `backoff` and `overlap` hold for attempts, runs and slots from
    /// now on, and a run that waits for others starts when `overlap` becomes `allow`; `enabled` takes schedules out and brings
    /// them back. Start-up jobs do not run.
    ///
    /// The size of the pool and of queues, `concurrency` and `rate` hold at once, for what waits as well; what runs goes on, also
    /// where it is more than that. A `rate` that takes the place of another has as large a part of its attempts left as that
    /// had; a job that had none begins with all of them. What a shorter retention does not keep is forgotten.
    ///
    /// In a cluster this is the config of this process, and others keep theirs until they reload: `concurrency` and `rate` are
    /// counted over all processes, and each starts runs by its own limits.
    ///
    /// `queue`, `priority` and `unique` hold for runs that are made from now on; those that there are keep their places, and
    /// those that stand for others go on doing so.
    ///
    /// Everything else takes effect at the next start, and is named in [`needs_restart`](Reloaded::needs_restart): the store and
    /// the access to the status page. State, middleware and jobs that are implemented by
    /// hand are those of the config that the instance was started with; the new one need not have them.
    ///
    /// ```no_run
    /// # async fn example(jobs: jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
    /// // On SIGHUP, say.
    /// match jobs.reload(jobs::Config::from_file("jobs.toml")?).await {
    ///     Ok(changes) => println!("{changes}"),
    ///     Err(error) => eprintln!("{error}"), // and everything goes on as before
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// All mistakes that [`start`](crate::start()) would find; a name that the config has no more, and that the program has
    /// scheduled something by; an instance that has been shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, it goes on: a config is never taken by half.
    pub async fn reload(&self, config: Config) -> Result<Reloaded, StartError> {
        let jobs = self.clone();
        let task = self.inner.runtime.spawn(async move { jobs.reload_whole(config).await });
        match task.await {
            Ok(reloaded) => reloaded,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StartError::reload(vec![Problem::new("the runtime is going away")])),
            },
        }
    }

    async fn reload_whole(&self, config: Config) -> Result<Reloaded, StartError> {
        let inner = &self.inner;
        // One at a time.
        let mut declared = inner.declared.lock().await;
        if matches!(*inner.phase.borrow(), Phase::ShuttingDown | Phase::Ended(_)) {
            return Err(StartError::reload(vec![Problem::new("this instance of jobs has been shut down")]));
        }
        let old = inner.settings();
        let Prepared { settings, registered, .. } =
            prepare(config.for_reload(&old)).map_err(StartError::into_reload)?;
        let added = self.added_by_name(&old, &settings, &declared)?;
        let before = registry::resolve(&registry::linked(), &mut (*old).clone(), &mut Vec::new());

        let mut reloaded = Reloaded::default();
        let now = inner.clock.now();
        diff::needs_restart(&old, &settings, &mut reloaded.needs_restart);
        diff::instance(&old, &settings, &mut reloaded);
        self.apply(&old, &settings);
        let mut redefined = added;
        let mut fresh = Vec::new();
        let mut gone = Vec::new();
        let mut switched = HashSet::new();
        let mut before: HashMap<&str, Registered> =
            before.into_iter().map(|job| (job.descriptor.name, job)).collect();
        for job in registered {
            let Descriptor { name, .. } = *job.descriptor;
            let Some(ix) = inner.pool.read(|memory| memory.job_named(name)) else { continue };
            let Some(was) = before.remove(name) else { continue };
            diff::settings(&was.info, &job.info, &mut reloaded);
            inner.pool.update_job(ix, &job.info);
            if was.info.enabled != job.info.enabled {
                switched.insert(ix);
            }
            let keys = declared.remove(&ix).unwrap_or_default();
            let key = |at: usize| keys.get(at).copied().flatten();
            let mut kept = Vec::new();
            for step in diff::schedules(was.schedules, job.schedules) {
                match step {
                    Step::Keep(at) => kept.push(key(at)),
                    Step::Redefine(at, schedule) => {
                        kept.push(key(at));
                        redefined.extend(key(at).map(|key| (key, schedule)));
                    }
                    Step::Remove(at) => gone.extend(key(at)),
                    Step::Add(schedule) => {
                        // It has a place among the others before it has a key.
                        fresh.push((ix, kept.len(), schedule));
                        kept.push(None);
                    }
                }
            }
            declared.insert(ix, kept);
        }
        self.reload_others(&old, &settings, &mut switched, &mut reloaded);
        redefined.extend(self.added_to(&switched, &declared, &gone, &redefined));
        *inner.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);

        // What was, before anything changes.
        let meaning = |key: ScheduleKey| inner.scheduler.read(|timers| Some(shown(timers.get(key)?, now)));
        let mut changes: Vec<_> = redefined.iter().map(|(key, _)| (*key, meaning(*key))).collect();
        for key in &gone {
            if let Some((job, schedule, was)) = meaning(*key) {
                reloaded.push(self.name_of(job), schedule, Some(was), None);
            }
        }
        self.take_out(&gone).await;
        inner.scheduler.redefine(redefined).await;
        for (ix, at, schedule) in fresh {
            let is_delay = schedule.timing.delay().is_some();
            let Some(key) = inner.scheduler.add(ix, schedule) else { continue };
            // The delay after the last run is not to be waited for twice.
            let last = inner.pool.read(|memory| {
                memory.job(ix).previous.as_ref().filter(|last| last.slot.is_some()).map(|last| last.finished)
            });
            if let Some(end) = last.filter(|_| is_delay) {
                inner.scheduler.count_from(key, end);
            }
            if let Some(place) = declared.get_mut(&ix).and_then(|keys| keys.get_mut(at)) {
                *place = Some(key);
            }
            changes.push((key, None));
        }
        #[cfg(feature = "postgres")]
        self.share_config().await;
        #[cfg(feature = "postgres")]
        self.share_schedules(&changes.iter().map(|(key, _)| *key).collect::<Vec<_>>()).await;
        for (key, was) in changes {
            // One that the program has taken out stays out.
            let Some((job, schedule, is)) = meaning(key) else { continue };
            reloaded.push(self.name_of(job), schedule, was.map(|(_, _, was)| was), Some(is));
        }
        reloaded
            .schedules
            .sort_by(|one, other| (&one.job, &one.schedule).cmp(&(&other.job, &other.schedule)));
        Ok(reloaded)
    }

    /// The sizes of the instance, and how long it keeps what was.
    fn apply(&self, old: &Settings, settings: &Settings) {
        let Inner { pool, scheduler, .. } = &*self.inner;
        pool.resize(settings.pool.value);
        for queue in old.queues.keys().chain(settings.queues.keys()) {
            // One that is too many has no jobs in it either.
            if let Ok(ix) = pool.queue(queue) {
                pool.limit_queue(ix, settings.queues.get(queue).map(|size| size.value));
            }
        }
        pool.retain(retention(settings));
        scheduler.keep(Keep::like(retention(settings)));
    }

    /// The schedules that the program has added while it runs by a name whose meaning changes.
    fn added_by_name(
        &self,
        old: &Settings,
        settings: &Settings,
        declared: &Declared,
    ) -> Result<Vec<(ScheduleKey, Resolved)>, StartError> {
        let zones = self.inner.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        let mut problems = Vec::new();
        let of_program: Vec<_> = self.inner.scheduler.read(|timers| {
            let declared = |planned: &Planned, key| {
                declared.get(&planned.job).is_some_and(|keys| keys.contains(&Some(key)))
            };
            let named = timers
                .schedules()
                .filter(|(key, planned)| planned.identity.name.is_some() && !declared(planned, *key));
            named.map(|(key, planned)| (key, planned.definition())).collect()
        });
        for (key, mut schedule) in of_program {
            let Some(name) = schedule.identity.name.clone() else { continue };
            let Some(named) = settings.named.get(&*name) else {
                let place = old.named.get(&*name).map_or(Place::Default, |named| named.place.clone());
                let problem = registry::no_such_name(&name, settings).at(place);
                problems.push(problem.about("the program has scheduled a job by a name that was there"));
                continue;
            };
            let zone = zones.get(&key).map(String::as_str);
            match registry::timing(named, zone, settings) {
                Ok(timing) if timing == schedule.timing => {}
                Ok(timing) => {
                    schedule.timing = timing;
                    found.push((key, schedule));
                }
                Err(error) => problems.push(error.problem().at(named.place.clone())),
            }
        }
        if problems.is_empty() { Ok(found) } else { Err(StartError::reload(problems)) }
    }

    /// The schedules that the program has added while it runs to jobs that are switched on or off, and that nothing else has
    /// changed: they mean what they did, and are armed or not.
    fn added_to(
        &self,
        switched: &HashSet<JobIx>,
        declared: &Declared,
        gone: &[ScheduleKey],
        redefined: &[(ScheduleKey, Resolved)],
    ) -> Vec<(ScheduleKey, Resolved)> {
        let is_known = |job: &JobIx, key: ScheduleKey| {
            declared.get(job).is_some_and(|keys| keys.contains(&Some(key)))
                || gone.contains(&key)
                || redefined.iter().any(|(other, _)| *other == key)
        };
        self.inner.scheduler.read(|timers| {
            let of_them = timers.schedules().filter(|(_, planned)| switched.contains(&planned.job));
            let added = of_them.filter(|(key, planned)| !is_known(&planned.job, *key));
            added.map(|(key, planned)| (key, planned.definition())).collect()
        })
    }

    /// Closures and jobs implemented by hand, of which the config may speak as well.
    fn reload_others(
        &self,
        old: &Settings,
        settings: &Settings,
        switched: &mut HashSet<JobIx>,
        reloaded: &mut Reloaded,
    ) {
        let others: Vec<(JobIx, JobName, bool)> = self.inner.pool.read(|memory| {
            let others = memory.jobs().filter(|(_, job)| job.info.descriptor.is_none());
            others.map(|(ix, job)| (ix, job.info.name.clone(), job.info.is_func)).collect()
        });
        for (ix, name, is_func) in others {
            let was = registry::info(name.clone(), None, is_func, old);
            let is = registry::info(name, None, is_func, settings);
            diff::settings(&was, &is, reloaded);
            self.inner.pool.update_job(ix, &is);
            if was.enabled != is.enabled {
                switched.insert(ix);
            }
        }
    }

    fn name_of(&self, job: JobIx) -> String {
        self.inner.pool.read(|memory| memory.job(job).info.name.to_string())
    }
}

impl Reloaded {
    fn push(
        &mut self,
        job: String,
        schedule: String,
        before: Option<ScheduleMeaning>,
        after: Option<ScheduleMeaning>,
    ) {
        self.schedules.push(ReloadedSchedule { job, schedule, before, after });
    }
}

fn shown(planned: &Planned, now: Reading) -> (JobIx, String, ScheduleMeaning) {
    let next = planned.next_slot(now).map(crate::clock::Timestamp::to_chrono);
    let text = planned.timing.to_string();
    (planned.job, planned.identity.key(&planned.timing), ScheduleMeaning { text, next })
}
