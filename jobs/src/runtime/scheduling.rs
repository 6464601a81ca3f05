//! Schedules that are added while the program runs.

use std::fmt;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};
use std::time::Duration;

use jobs_syntax::{Missed, ScheduleText, SyntaxError};

use super::Jobs;
use super::error::SubmitError;
use super::submit::{Submit, Who};
use crate::config::{Settings, Sourced};
use crate::error::{Place, Problem};
use crate::job::body::Template;
use crate::job::options::SlotOptions;
use crate::registry::{self, Identity, Resolved, Timing};
use crate::schedule::{Schedule, ScheduleError};
use crate::scheduler::planned::ScheduleKey;
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
    pub fn schedule<J: Submit>(&self, schedule: &str, job: J) -> Scheduling {
        Scheduling::new(self.clone(), When::Text(schedule.to_owned()), job)
    }

    /// Schedules a job whenever this much time has passed, start to start, the first time one interval from now.
    /// At least 10 ms. Nothing happens until it is awaited.
    pub fn every<J: Submit>(&self, interval: Duration, job: J) -> Scheduling {
        Scheduling::new(self.clone(), When::Every(interval), job)
    }

    /// Schedules a job end to start: its first slot comes one delay from now, every other when so much time has passed
    /// since the run of the slot before has ended, however it ended. So one of its runs is live at most. At least 10 ms.
    /// Nothing happens until it is awaited.
    ///
    /// A slot that makes no run, since the job is paused, is followed by the next one delay later. Retries are a part of
    /// their run: the delay begins after the last.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn example(jobs: jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
    /// let poll = jobs::func("poll", || async { println!("polling, for as long as it takes") });
    /// jobs.fixed_delay(Duration::from_secs(30), poll).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn fixed_delay<J: Submit>(&self, delay: Duration, job: J) -> Scheduling {
        Scheduling::new(self.clone(), When::Delay(delay), job)
    }
}

/// A schedule in the making: awaiting it adds the schedule.
#[must_use = "nothing is scheduled until this is awaited, or `blocking` is called"]
pub struct Scheduling {
    jobs: Jobs,
    when: When,
    tz: Option<Sourced<String>>,
    key: Option<String>,
    jitter: Option<Duration>,
    missed: Option<Sourced<String>>,
    who: Who,
    template: Template,
}

#[derive(Debug)]
enum When {
    Text(String),
    Every(Duration),
    Delay(Duration),
}

impl Scheduling {
    fn new<J: Submit>(jobs: Jobs, when: When, job: J) -> Self {
        let (who, template) = ((J::__KIND.who)(&job), (J::__KIND.template)(job));
        Self { jobs, when, tz: None, key: None, jitter: None, missed: None, who, template }
    }

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

    /// Lets every slot fire later than its time by a part of this, so that what is due at one time does not start at once.
    /// The part is as good as random and always the same for a slot; a slot never fires after the time of the next. What is
    /// shown, kept and given to the job is the time of the slot itself.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// What becomes of slots that pass while the machine sleeps or when the clock is set forward: `skip`, `once`, `all`,
    /// or one of the latter two with a window, `all within 6h`. Default: `skip` in memory, `once` on a durable store.
    ///
    /// `once` makes up for the last of them, `all` for every one, a thousand at most. The overlap policy of the job holds for
    /// what is made up as for other slots: `all` is for jobs that buffer or allow.
    /// [`JobContext::is_catch_up`](crate::JobContext::is_catch_up) tells the job.
    #[track_caller]
    pub fn missed(mut self, policy: impl Into<String>) -> Self {
        self.missed = Some(Sourced { value: policy.into(), place: Place::caller() });
        self
    }

    /// Adds the schedule from code that is not async.
    ///
    /// # Errors
    ///
    /// A mistake in the schedule, its zone, its key or its policy for missed slots; a zone or a policy that has no effect; a name that the config does not have; a closure or a
    /// hand-written job whose name cannot be one or belongs to another job; an instance that has been shut down.
    pub fn blocking(self) -> Result<ScheduleHandle, SubmitError> {
        let handle = self.add()?;
        #[cfg(feature = "postgres")]
        super::cluster::block_on(handle.jobs.share_schedules(&[handle.key]));
        Ok(handle)
    }

    fn add(self) -> Result<ScheduleHandle, SubmitError> {
        let Self { jobs, when, tz, key, jitter, missed, who, template } = self;
        let settings = &jobs.inner.settings();
        if let Some(key) = &key {
            jobs_syntax::check_schedule_key(key).map_err(|error| SubmitError::bad_name(error.render(key)))?;
        }
        if let Some(missed) = &missed
            && let When::Delay(delay) = &when
        {
            return Err(refuse_missed(missed, *delay));
        }
        let parse = |missed: Sourced<String>| {
            let text = missed.value;
            let refused = |error: SyntaxError| Problem::new(error.render(&text)).at(missed.place);
            Missed::parse(&text).map_err(|error| SubmitError::refused_schedule(refused(error)))
        };
        let missed = missed.map(parse).transpose()?;
        let (timing, name) = timing_of(&when, tz.as_ref(), settings)?;
        let is_named = name.is_some();
        let ix = jobs.register(&who)?;
        let key = key.map(String::into_boxed_str);
        let identity = Identity { name, key, args: "", repeat: 1, declared: false };
        let options = SlotOptions { jitter, missed };
        let resolved = Resolved { timing, template, identity, options };
        let key = jobs.inner.scheduler.add(ix, resolved).ok_or_else(SubmitError::shut_down)?;
        if let (true, Some(tz)) = (is_named, tz) {
            jobs.inner.zones.lock().unwrap_or_else(PoisonError::into_inner).insert(key, tz.value);
        }
        let handle = ScheduleHandle { key, jobs };
        handle.warn_of_repeat();
        Ok(handle)
    }
}

/// When a schedule fires, and its name in the config where it has one.
fn timing_of(
    when: &When,
    tz: Option<&Sourced<String>>,
    settings: &Settings,
) -> Result<(Timing, Option<Box<str>>), SubmitError> {
    let zone = tz.map(|tz| tz.value.as_str());
    if let Some(zone) = zone {
        // It must be one, also where nothing asks for it.
        Schedule::parse("@daily").and_then(|any| any.in_zone(zone)).map_err(SubmitError::schedule)?;
    }
    // Nearly every text is no name, and this is the parser that remembers.
    let parsed = match when {
        When::Every(interval) | When::Delay(interval) => {
            Schedule::every(*interval).map_err(|error| (error, None))
        }
        When::Text(text) => {
            Schedule::parse(text).map_err(|error| (error, Some((text, ScheduleText::parse(text)))))
        }
    };
    let (timing, name) = match parsed {
        Ok(schedule) => {
            if let Some(tz) = tz {
                refuse_unused_zone(&schedule, tz)?;
            }
            match when {
                // What an interval must be, a delay must be.
                When::Delay(delay) => (Ok(Timing::Delay(*delay)), None),
                _ => (registry::in_zone(Ok(schedule), zone, settings).map(Timing::At), None),
            }
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
    Ok((timing.map_err(SubmitError::schedule)?, name))
}

/// A delay that counts from the end of a run passes over nothing.
fn refuse_missed(missed: &Sourced<String>, delay: Duration) -> SubmitError {
    let problem = Problem::new(format!(
        "the policy `{}` for missed slots has no effect: a fixed delay of `{}` has one slot at a time, and misses none",
        missed.value.escape_debug(),
        jobs_syntax::format_duration(delay)
    ));
    SubmitError::refused_schedule(problem.at(missed.place.clone()).help("leave it out, or use `every`"))
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

impl IntoFuture for Scheduling {
    type Output = Result<ScheduleHandle, SubmitError>;
    type IntoFuture = Adding;

    fn into_future(self) -> Adding {
        let added = self.add();
        Adding(Box::pin(async move {
            let handle = added?;
            #[cfg(feature = "postgres")]
            handle.jobs.share_schedules(&[handle.key]).await;
            Ok(handle)
        }))
    }
}

/// The future of a [`Scheduling`]. The schedule is added when it is made; it completes when the other processes of
/// a cluster can know of it.
#[must_use = "futures do nothing unless awaited"]
pub struct Adding(Pin<Box<dyn Future<Output = Result<ScheduleHandle, SubmitError>> + Send>>);

impl Future for Adding {
    type Output = Result<ScheduleHandle, SubmitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Adding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adding").finish_non_exhaustive()
    }
}

impl fmt::Debug for Scheduling {
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
        self.jobs.take_out(&[self.key]).await > 0
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
