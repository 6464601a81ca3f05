//! Schedules that are added while the program runs.

use std::fmt;
use std::time::Duration;

use jobs_syntax::ScheduleText;

use super::Jobs;
use super::error::SubmitError;
use super::submission::Submit;
use crate::config::Sourced;
use crate::error::{Place, Problem};
use crate::registry::{self, Identity, Timing};
use crate::schedule::{Schedule, ScheduleError};
use crate::scheduler::timers::ScheduleKey;
use crate::telemetry;

impl Jobs {
    /// Schedules a job from now on: `"0 0 3 * * *"`, `"@daily"`, `"@every 90m"`, or the name of a schedule in the
    /// config, `"cron.nightly"`. The value is cloned for every run. A name that the config switches off is accepted: the
    /// schedule is shown as off and does not fire. Neither does one of a job that is not enabled.
    ///
    /// Nothing happens until it is awaited. The schedule lives until it is removed or the instance is shut down.
    ///
    /// ```
    /// # async fn example(jobs: jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
    /// let chime = jobs.schedule("@hourly", jobs::func("chime", || async { println!("ding") })).await?;
    /// chime.remove().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn schedule<J: Submit>(&self, schedule: &str, job: J) -> Scheduling<J> {
        Scheduling { jobs: self.clone(), when: When::Text(schedule.to_owned()), tz: None, key: None, job }
    }

    /// Schedules a job whenever this much time has passed, start to start, the first time one interval from now.
    /// At least 10 ms. Nothing happens until it is awaited.
    pub fn every<J: Submit>(&self, interval: Duration, job: J) -> Scheduling<J> {
        Scheduling { jobs: self.clone(), when: When::Every(interval), tz: None, key: None, job }
    }
}

/// A schedule in the making: awaiting it adds the schedule.
#[must_use = "nothing is scheduled until this is awaited, or `blocking` is called"]
pub struct Scheduling<J> {
    jobs: Jobs,
    when: When,
    tz: Option<Sourced<String>>,
    key: Option<String>,
    job: J,
}

#[derive(Debug)]
enum When {
    Text(String),
    Every(Duration),
}

impl<J: Submit> Scheduling<J> {
    /// Reads the schedule on the wall clock of a zone, such as `Europe/Oslo`. Default: `jobs.timezone`.
    ///
    /// It is an error beside an interval, and beside a text that names its zone (`TZ=…`). Of a name in the config, what
    /// that stands for is the deployment's to say: a zone there goes before this one, and an interval ignores it.
    #[track_caller]
    pub fn tz(mut self, zone: impl Into<String>) -> Self {
        self.tz = Some(Sourced { value: zone.into(), place: Place::caller() });
        self
    }

    /// Names the schedule among those of its job. Default: its name in the config, or its canonical text. One that the
    /// job has already is told in the log, and gets a number: [`ScheduleHandle::key`] says `nightly#2`.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds the schedule from code that is not async.
    ///
    /// # Errors
    ///
    /// A mistake in the schedule, its zone or its key; a zone that has no effect; a name that the config does not have; a closure or a
    /// hand-written job whose name cannot be one or belongs to another job; an instance that has been shut down.
    pub fn blocking(self) -> Result<ScheduleHandle, SubmitError> {
        let Self { jobs, when, tz, key, job } = self;
        let settings = &jobs.inner.settings;
        if let Some(key) = &key {
            jobs_syntax::check_schedule_key(key).map_err(|error| SubmitError::bad_name(error.render(key)))?;
        }
        let zone = tz.as_ref().map(|tz| tz.value.as_str());
        if let Some(zone) = zone {
            // It must be one, also where nothing asks for it.
            Schedule::parse("@daily").and_then(|any| any.in_zone(zone)).map_err(SubmitError::schedule)?;
        }
        // Nearly every text is no name, and this is the parser that remembers.
        let parsed = match &when {
            When::Every(interval) => Schedule::every(*interval).map_err(|error| (error, None)),
            When::Text(text) => {
                Schedule::parse(text).map_err(|error| (error, Some((text, ScheduleText::parse(text)))))
            }
        };
        let (timing, name) = match parsed {
            Ok(schedule) => {
                if let Some(tz) = &tz {
                    refuse_unused_zone(&schedule, tz)?;
                }
                (registry::in_zone(Ok(schedule), zone, settings).map(Timing::At), None)
            }
            Err((_, Some((_, Ok(ScheduleText::Named(name)))))) => {
                let Some(named) = settings.named.get(&*name) else {
                    return Err(SubmitError::refused_schedule(registry::no_such_name(&name, settings)));
                };
                (registry::timing(named, zone, settings), Some(name))
            }
            Err((_, Some((text, Err(error))))) => (Err(ScheduleError::syntax(error, text)), None),
            Err((error, _)) => (Err(error), None),
        };
        let timing = timing.map_err(SubmitError::schedule)?;
        let ix = jobs.register(&job.__who())?;
        let identity = Identity { name, key: key.map(String::into_boxed_str), args: "", repeat: 1 };
        let key = jobs
            .inner
            .scheduler
            .add(ix, timing, job.__template(), identity)
            .ok_or_else(SubmitError::shut_down)?;
        let handle = ScheduleHandle { key, jobs };
        handle.warn_of_repeat();
        Ok(handle)
    }
}

/// A zone beside a schedule that takes none is a mistake of the same line.
fn refuse_unused_zone(schedule: &Schedule, tz: &Sourced<String>) -> Result<(), SubmitError> {
    let (why, help) = match (schedule.interval(), schedule.zone()) {
        (None, None) => return Ok(()),
        (Some(_), _) => (
            format!("`{schedule}` is an interval, which counts elapsed time alone"),
            "leave it out, or write a cron expression".to_owned(),
        ),
        (None, Some(own)) => (
            format!("`{schedule}` names its zone itself"),
            format!("leave it out, or take `TZ={own}` out of the text"),
        ),
    };
    let problem = Problem::new(format!("the zone `{}` has no effect: {why}", tz.value.escape_debug()));
    Err(SubmitError::refused_schedule(problem.at(tz.place.clone()).help(help)))
}

impl<J: Submit> IntoFuture for Scheduling<J> {
    type Output = Result<ScheduleHandle, SubmitError>;
    type IntoFuture = std::future::Ready<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        std::future::ready(self.blocking())
    }
}

impl<J> fmt::Debug for Scheduling<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduling").field("when", &self.when).field("key", &self.key).finish_non_exhaustive()
    }
}

/// A schedule that was added while the program runs. Dropping it changes nothing.
#[derive(Clone)]
pub struct ScheduleHandle {
    key: ScheduleKey,
    jobs: Jobs,
}

impl ScheduleHandle {
    /// Takes the schedule out: it does not fire any more. Runs that it has made go on. `false` when it was
    /// taken out before.
    pub async fn remove(&self) -> bool {
        self.jobs.inner.scheduler.remove(&[self.key]) > 0
    }

    fn warn_of_repeat(&self) {
        let inner = &self.jobs.inner;
        let repeated = inner.scheduler.read(|timers| {
            let planned = timers.get(self.key).filter(|planned| planned.identity.repeat > 1)?;
            Some((planned.job, planned.identity.key(&planned.timing)))
        });
        if let Some((job, key)) = repeated {
            let job = inner.pool.read(|memory| memory.job(job).info.name.clone());
            telemetry::key_repeated(&job, &key);
        }
    }

    /// The key of the schedule among those of its job: of several with the same, the second has `#2` behind it, and
    /// so on. None when it has been taken out.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        self.jobs
            .inner
            .scheduler
            .read(|timers| timers.get(self.key).map(|planned| planned.identity.key(&planned.timing)))
    }
}

impl fmt::Debug for ScheduleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleHandle").field("key", &self.key()).finish_non_exhaustive()
    }
}
