//! Schedules that are added while the program runs.

use std::fmt;
use std::time::Duration;

use jobs_syntax::ScheduleText;

use super::Jobs;
use super::error::SubmitError;
use super::submission::Submit;
use crate::registry::{self, Identity, Timing};
use crate::schedule::{Schedule, ScheduleError};
use crate::scheduler::timers::ScheduleKey;

impl Jobs {
    /// Schedules a job from now on: `"0 0 3 * * *"`, `"@daily"`, `"@every 90m"`, or the name of a schedule in the
    /// config, `"cron.nightly"`. The value is cloned for every run. A name that the config switches off is accepted: the
    /// schedule is shown as off and does not fire.
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
    tz: Option<String>,
    key: Option<String>,
    job: J,
}

#[derive(Debug)]
enum When {
    Text(String),
    Every(Duration),
}

impl<J: Submit> Scheduling<J> {
    /// Reads the schedule on the wall clock of a zone, such as `Europe/Oslo`. Default: `jobs.timezone`. A zone in
    /// the text (`TZ=…`) goes before.
    pub fn tz(mut self, zone: impl Into<String>) -> Self {
        self.tz = Some(zone.into());
        self
    }

    /// Names the schedule among those of its job. Default: its name in the config, or its canonical text.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds the schedule from code that is not async.
    ///
    /// # Errors
    ///
    /// A mistake in the schedule, its zone or its key; a name that the config does not have; a closure or a
    /// hand-written job whose name cannot be one or belongs to another job; an instance that has been shut down.
    pub fn blocking(self) -> Result<ScheduleHandle, SubmitError> {
        let Self { jobs, when, tz, key, job } = self;
        let settings = &jobs.inner.settings;
        if let Some(key) = &key {
            jobs_syntax::check_schedule_key(key).map_err(|error| SubmitError::bad_name(error.render(key)))?;
        }
        let tz = tz.as_deref();
        let (timing, name) = match when {
            When::Every(interval) => (Schedule::every(interval).map(Timing::At), None),
            // Nearly every text is no name, and this is the parser that remembers.
            When::Text(text) => match Schedule::parse(&text)
                .map_err(|error| (error, ScheduleText::parse(&text)))
            {
                Err((_, Ok(ScheduleText::Named(name)))) => {
                    let Some(named) = settings.named.get(&*name) else {
                        return Err(SubmitError::no_such_schedule(registry::no_such_name(&name, settings)));
                    };
                    (registry::timing(named, tz, settings), Some(name))
                }
                Err((_, Err(error))) => (Err(ScheduleError::syntax(error, &text)), None),
                other => {
                    let schedule = other.map_err(|(error, _)| error);
                    (registry::in_zone(schedule, tz, settings).map(Timing::At), None)
                }
            },
        };
        if let Some(zone) = tz {
            // It must be one, also where the text names its own or an interval asks for none.
            Schedule::parse("@daily").and_then(|any| any.in_zone(zone)).map_err(SubmitError::schedule)?;
        }
        let timing = timing.map_err(SubmitError::schedule)?;
        let ix = jobs.register(&job.__who())?;
        let identity = Identity { name, key: key.map(String::into_boxed_str), args: "", repeat: 1 };
        let key = jobs
            .inner
            .scheduler
            .add(ix, timing, job.__template(), identity)
            .ok_or_else(SubmitError::shut_down)?;
        Ok(ScheduleHandle { key, jobs })
    }
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

    /// The key of the schedule among those of its job; none when it has been taken out.
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
