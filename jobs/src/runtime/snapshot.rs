//! What every job is doing, at one moment.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

use super::Jobs;
use super::queues::{QueueSnapshot, queues};
use crate::clock::{Reading, Timestamp};
use crate::job::descriptor::Descriptor;
use crate::job::run::{Outcome, RunId};
use crate::registry::Timing;
use crate::scheduler::planned::Planned;
use crate::scheduler::timers::Timers;
use crate::store::memory::{JobIx, JobState, Previous};

/// What every job is doing, at one moment: made by [`Jobs::snapshot`]. `Display` writes it as a table, with times
/// in UTC.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// Every job, by name.
    pub jobs: Vec<JobSnapshot>,
    /// How full the pool is.
    pub pool: PoolSnapshot,
    /// How full the queues are, by name.
    pub queues: Vec<QueueSnapshot>,
}

/// How full the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// How many runs may execute at the same time; none is unlimited.
    pub size: Option<NonZeroUsize>,
    /// How many do.
    pub running: usize,
    /// How many could start and find no room.
    pub queued: usize,
}

/// One job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobSnapshot {
    /// Its name.
    pub name: String,
    /// Its former names, by which it is found too.
    pub aliases: Vec<String>,
    /// The doc comment of its function; empty where there is none.
    pub description: String,
    /// Where its function stands; none for closures and hand-written jobs.
    pub place: Option<SourcePlace>,
    /// Whether it is enabled here.
    pub enabled: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Since when it is paused; none where it is not.
    pub paused_since: Option<DateTime<Utc>>,
    /// What it is doing.
    pub status: JobStatus,
    /// How many of its runs execute.
    pub running: usize,
    /// How many could start and find no room in the pool.
    pub queued: usize,
    /// How many wait for their predecessor.
    pub waiting: usize,
    /// How many wait for their time.
    pub delayed: usize,
    /// How many of those wait to be tried again.
    pub retrying: usize,
    /// Its schedules, the next to fire first.
    pub schedules: Vec<ScheduleSnapshot>,
    /// The run that ended last.
    pub previous: Option<PreviousRun>,
    /// When it fires next; none where it has no schedule, or is paused.
    pub next: Option<DateTime<Utc>>,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobStatus {
    /// Nothing.
    Idle,
    /// A run of it waits to be tried again, and no other.
    Retrying,
    /// A run of it waits, for room in the pool or for its predecessor, and none executes.
    Queued,
    /// A run of it executes.
    Running,
}

/// `IDLE`, `RETRYING`, `QUEUED` or `RUNNING`.
impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "IDLE",
            Self::Retrying => "RETRYING",
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
        })
    }
}

/// Where a function stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SourcePlace {
    /// The path of its module.
    pub module: &'static str,
    /// The source file as the compiler named it.
    pub file: &'static str,
    /// The line of its `#[job]`, from 1.
    pub line: u32,
}

/// `src/mail.rs:12`.
impl fmt::Display for SourcePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One schedule of a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScheduleSnapshot {
    /// What tells it from the others of its job.
    pub key: String,
    /// Its name in the config, with `cron.`; none where it has none.
    pub name: Option<String>,
    /// The schedule in its canonical form: six fields, or `@every …`. Of one that the config switches off, its name.
    pub text: String,
    /// The schedule in words. Of one that the config switches off, `off` and the place that says so.
    pub words: String,
    /// The zone on whose wall clock it is read; none for an interval, and for what is off.
    pub zone: Option<String>,
    /// The last slot that came while the program ran, whatever became of it.
    pub previous: Option<DateTime<Utc>>,
    /// The next slot; none where the schedule is off, its job is not enabled, or no slot is left.
    pub next: Option<DateTime<Utc>>,
    /// By how much later than its time a slot may fire; none where it fires at its time.
    pub jitter: Option<Duration>,
    /// What becomes of slots that are missed, as `missed` has it: `skip`, `all within 6h`.
    pub missed_policy: String,
    /// How many slots made a run, those that were made up for among them.
    pub ran: u64,
    /// How many of these were missed first, and made up for.
    pub caught_up: u64,
    /// How many slots the overlap policy dropped, since a run before was not done.
    pub skipped: u64,
    /// How many slots passed while the machine slept or when the clock was set forward, and were not made up for.
    /// Over a sleep of more than a year, of a schedule that leaves out days, it is at least so many.
    pub missed: u64,
    /// How many slots passed while the job was paused. Those of a job that is not enabled do not come at all.
    pub paused: u64,
}

/// A run that has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PreviousRun {
    /// Its identity.
    pub id: RunId,
    /// The nominal time of its slot; none when it was submitted.
    pub slot: Option<DateTime<Utc>>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// What it came to.
    pub outcome: Outcome,
}

impl PreviousRun {
    /// How long it took.
    #[must_use]
    pub fn duration(&self) -> Duration {
        (self.finished_at - self.started_at).to_std().unwrap_or_default()
    }
}

impl Snapshot {
    /// One job, by its name or an alias.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&JobSnapshot> {
        match self.jobs.binary_search_by(|job| job.name.as_str().cmp(name)) {
            Ok(index) => Some(&self.jobs[index]),
            Err(_) => self.jobs.iter().find(|job| job.aliases.iter().any(|alias| alias == name)),
        }
    }
}

impl Jobs {
    /// What every job is doing now. No schedule fires while it reads them, so do not
    /// take it many times a second where there are a hundred thousand.
    ///
    /// On PostgreSQL it tells of what this process has claimed and executes. What waits belongs to the whole cluster there, and
    /// `Jobs::cluster` tells of it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.inner;
        let now = inner.clock.now();
        let mut schedules = inner.scheduler.read(|timers| schedules(timers, now));
        let gauge = inner.pool.gauge();
        let (mut jobs, queues): (Vec<_>, _) = inner.pool.read(|memory| {
            let jobs = memory
                .jobs()
                .map(|(ix, job)| job_snapshot(job, schedules.remove(&ix).unwrap_or_default()))
                .collect();
            (jobs, queues(memory))
        });
        jobs.sort_by(|one: &JobSnapshot, other| one.name.cmp(&other.name));
        let pool = PoolSnapshot { size: gauge.size, running: gauge.running, queued: gauge.queued };
        Snapshot { taken_at: now.wall.to_chrono(), jobs, pool, queues }
    }
}

fn schedules(timers: &Timers, now: Reading) -> HashMap<JobIx, Vec<ScheduleSnapshot>> {
    let mut by_job: HashMap<JobIx, Vec<ScheduleSnapshot>> = HashMap::new();
    for (_, planned) in timers.schedules() {
        by_job.entry(planned.job).or_default().push(schedule_snapshot(planned, now));
    }
    for schedules in by_job.values_mut() {
        schedules.sort_by_key(|schedule| (schedule.next.is_none(), schedule.next));
    }
    by_job
}

pub(super) fn schedule_snapshot(planned: &Planned, now: Reading) -> ScheduleSnapshot {
    let name = planned.identity.name.as_deref();
    let (text, words, zone) = match &planned.timing {
        Timing::At(schedule) => {
            let zone = match schedule.interval() {
                Some(_) => None,
                None => Some(schedule.zone().unwrap_or("UTC").to_owned()),
            };
            let mut words = schedule.describe();
            if zone.is_some() && schedule.zone().is_none() {
                words.push_str(" (UTC)");
            }
            (schedule.text().to_owned(), words, zone)
        }
        Timing::Delay(delay) => {
            let delay = jobs_syntax::format_duration(*delay);
            (format!("@after {delay}"), format!("{delay} after the end of the last run"), None)
        }
        Timing::Off(place) => {
            (name.unwrap_or("off").to_owned(), format!("off (switched off at {place})"), None)
        }
    };
    let tally = planned.ledger.tally();
    ScheduleSnapshot {
        key: planned.identity.key(&planned.timing),
        name: name.map(str::to_owned),
        text,
        words,
        zone,
        previous: planned.last_slot().map(Timestamp::to_chrono),
        next: planned.next_slot(now).map(Timestamp::to_chrono),
        jitter: planned.jitter(),
        missed_policy: planned.missed_policy().to_string(),
        ran: tally.ran.saturating_add(tally.caught_up),
        caught_up: tally.caught_up,
        skipped: tally.skipped,
        missed: tally.missed,
        paused: tally.paused,
    }
}

pub(super) fn status_of(job: &JobState) -> JobStatus {
    if job.running > 0 {
        JobStatus::Running
    } else if job.available > 0 || job.waiting() > 0 {
        JobStatus::Queued
    } else if job.retrying > 0 {
        JobStatus::Retrying
    } else {
        JobStatus::Idle
    }
}

pub(super) fn place_of(descriptor: &Descriptor) -> SourcePlace {
    SourcePlace { module: descriptor.module, file: descriptor.file, line: descriptor.line }
}

pub(super) fn job_snapshot(job: &JobState, schedules: Vec<ScheduleSnapshot>) -> JobSnapshot {
    let descriptor = job.info.descriptor;
    let waiting = job.waiting();
    let status = status_of(job);
    let next = schedules
        .iter()
        .filter_map(|schedule| schedule.next)
        .min()
        .filter(|_| job.paused_since.is_none() && job.info.enabled);
    JobSnapshot {
        name: job.info.name.to_string(),
        aliases: descriptor
            .into_iter()
            .flat_map(|descriptor| descriptor.aliases)
            .map(|alias| (*alias).to_owned())
            .collect(),
        description: descriptor.map_or_else(String::new, |descriptor| descriptor.description.to_owned()),
        place: descriptor.map(place_of),
        enabled: job.info.enabled,
        paused: job.paused_since.is_some(),
        paused_since: job.paused_since.map(Timestamp::to_chrono),
        status,
        running: job.running as usize,
        queued: job.available as usize,
        waiting,
        delayed: job.scheduled as usize,
        retrying: job.retrying as usize,
        schedules,
        previous: job.previous.as_deref().map(previous_run),
        next,
    }
}

pub(super) fn previous_run(previous: &Previous) -> PreviousRun {
    PreviousRun {
        id: previous.id,
        slot: previous.slot.map(Timestamp::to_chrono),
        started_at: previous.started.to_chrono(),
        finished_at: previous.finished.to_chrono(),
        outcome: previous.outcome.clone(),
    }
}

/// A table with a row for each job, and below it the pool, and the queues where there are several or one has a limit. What comes next is shown with its date unless it comes today.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 5]> = self.jobs.iter().map(|job| row(job, self.taken_at)).collect();
        let header = ["JOB", "STATUS", "SCHEDULE", "PREVIOUS", "NEXT (UTC)"];
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([header[column].len()]).max().unwrap_or(0)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut line = |cells: [&str; 5]| {
            let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())
        };
        line(header)?;
        for row in &rows {
            line(row.each_ref().map(String::as_str))?;
        }
        let PoolSnapshot { size, running, queued } = self.pool;
        match size {
            Some(size) => write!(f, "pool: {running} of {size} running, {queued} queued")?,
            None => write!(f, "pool: {running} running, unlimited, {queued} queued")?,
        }
        if let [only] = &*self.queues
            && only.size.is_none()
            && !only.paused
        {
            return Ok(());
        }
        self.queues.iter().try_for_each(|queue| write!(f, "\nqueue {queue}"))
    }
}

fn row(job: &JobSnapshot, now: DateTime<Utc>) -> [String; 5] {
    let status = match (job.status, job.running, job.queued + job.waiting) {
        (JobStatus::Idle, ..) if !job.enabled => "DISABLED".to_owned(),
        (JobStatus::Idle, ..) if job.paused => "PAUSED".to_owned(),
        (JobStatus::Retrying, ..) if job.retrying > 1 => format!("{} {}", job.status, job.retrying),
        (status, 0 | 1, 0) | (status, 0, 1) => status.to_string(),
        (status, running, 0) => format!("{status} {running}"),
        (status, 0, queued) => format!("{status} {queued}"),
        (status, running, queued) => format!("{status} {running}, {queued} queued"),
    };
    let schedule = match job.schedules.as_slice() {
        [] => "-".to_owned(),
        [only] => short(only),
        [first, rest @ ..] => format!("{} and {} more", short(first), rest.len()),
    };
    let previous = job.previous.as_ref().map_or_else(
        || "-".to_owned(),
        |previous| {
            let outcome = previous.outcome.as_str();
            match rounded((now - previous.finished_at).to_std().unwrap_or_default()) {
                Some(ago) => format!("{outcome} {ago} ago"),
                None => format!("{outcome} just now"),
            }
        },
    );
    let next = job.next.map_or_else(
        || "-".to_owned(),
        |next| {
            let time = next.trunc_subsecs(0);
            let shown = match time.date_naive() {
                today if today == now.date_naive() => time.format("%H:%M:%S"),
                _ => time.format("%Y-%m-%d %H:%M:%S"),
            };
            match rounded((next - now).to_std().unwrap_or_default()) {
                Some(left) => format!("{shown} (in {left})"),
                None => format!("{shown} (now)"),
            }
        },
    );
    [job.name.clone(), status, schedule, previous, next]
}

fn short(schedule: &ScheduleSnapshot) -> String {
    match &schedule.name {
        Some(name) => format!("{name}: {}", schedule.words),
        None => schedule.words.clone(),
    }
}

/// A duration with as many digits as a reader cares for; none where there is none to speak of.
pub(super) fn rounded(duration: Duration) -> Option<String> {
    let exact = match duration {
        short if short < Duration::from_secs(1) => Duration::from_millis(short.as_millis() as u64),
        _ => Duration::from_secs(duration.as_secs()),
    };
    (!exact.is_zero()).then(|| jobs_syntax::format_duration(exact))
}
