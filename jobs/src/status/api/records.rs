//! What the API tells, and how it comes from the snapshots.

use std::time::Duration;

use serde_json::Value;

use crate::job::{LogLine, Outcome, RunSnapshot};
use crate::runtime::nodes::NodeSnapshot;
use crate::runtime::wording::Written;
use crate::runtime::{
    Health, JobSnapshot, LedgerEntry, PoolSnapshot, PreviousRun, QueueSnapshot, ScheduleSnapshot,
};
use crate::status::api::schema::{Time, record};
use crate::status::figures::Figures;

record! {
    /// A page of the list of jobs.
    Jobs {
        /// The jobs of this page, by name.
        jobs: Vec<Job>,
        /// How many there are on all pages.
        total: u64,
        /// The number of this page, from 1.
        page: u64,
        /// How many pages there are.
        pages: u64,
    }
}

record! {
    /// A job, and what it does.
    Job {
        /// Its name.
        name: String,
        /// Its former names.
        aliases: Vec<String>,
        /// The doc comment of its function.
        description: String,
        /// Where its function stands: file and line.
        place: Option<String>,
        /// Whether it is enabled here.
        enabled: bool,
        /// Whether it is paused.
        paused: bool,
        /// Since when it is paused.
        paused_since: Option<Time>,
        /// IDLE, RETRYING, QUEUED or RUNNING.
        status: String,
        /// How many of its runs execute.
        running: u64,
        /// How many could start and find no room.
        queued: u64,
        /// How many wait for their predecessor.
        waiting: u64,
        /// How many wait for their time.
        delayed: u64,
        /// How many of those wait to be tried again.
        retrying: u64,
        /// Its schedules, the next to fire first.
        schedules: Vec<Schedule>,
        /// The run that ended last.
        previous: Option<Previous>,
        /// The last runs that have ended and are kept, a hundred at most.
        recent: Recent,
        /// When it fires next.
        next: Option<Time>,
    }
}

record! {
    /// What the last runs of a job have in common.
    Recent {
        /// How many they are.
        runs: u64,
        /// How many of them failed.
        failed: u64,
        /// The seconds that half of those that have started did not exceed.
        seconds_p50: Option<f64>,
        /// The seconds that 95 % did not exceed.
        seconds_p95: Option<f64>,
    }
}

record! {
    /// A schedule of a job.
    Schedule {
        /// What tells it from the others of its job.
        key: String,
        /// Its name in the config, with `cron.`.
        name: Option<String>,
        /// As it was written; null where the program has added it.
        written: Option<String>,
        /// Six fields, or `@every …`.
        text: String,
        /// The same in words.
        words: String,
        /// The zone that it is read in.
        zone: Option<String>,
        /// The last slot that came.
        previous: Option<Time>,
        /// The next slot.
        next: Option<Time>,
        /// What becomes of missed slots.
        missed_policy: String,
        /// How many slots made a run.
        ran: u64,
        /// How many of these were missed first.
        caught_up: u64,
        /// How many the overlap policy dropped.
        skipped: u64,
        /// How many were missed.
        missed: u64,
        /// How many passed while the job was paused.
        paused: u64,
    }
}

record! {
    /// A run that has ended.
    Previous {
        /// Its identity.
        id: String,
        /// The nominal time of its slot.
        slot: Option<Time>,
        /// When it started.
        started_at: Time,
        /// When it ended.
        finished_at: Time,
        /// How long it took, in seconds.
        seconds: f64,
        /// What it came to, in a word.
        outcome: String,
        /// The message of its error.
        message: Option<String>,
    }
}

record! {
    /// A named schedule of the config.
    Named {
        /// Its name, with `cron.`.
        name: String,
        /// As it is written; null where it is off.
        spec: Option<String>,
        /// The same in words.
        words: Option<String>,
        /// Where it is written.
        place: String,
        /// The jobs that go by it.
        used_by: Vec<String>,
    }
}

record! {
    /// Slots in a row that had one fate.
    Entry {
        /// The key of the schedule.
        schedule: String,
        /// The first of the slots.
        from: Time,
        /// The last of them.
        to: Time,
        /// How many they are.
        count: u64,
        /// Their fate, in a word or two.
        fate: String,
        /// The same with its reason.
        reason: String,
    }
}

record! {
    /// How full the pool is.
    Pool {
        /// How many runs may execute at the same time; null is unlimited.
        size: Option<u64>,
        /// How many do.
        running: u64,
        /// How many could start and find no room.
        queued: u64,
    }
}

record! {
    /// A queue, and how full it is.
    Queue {
        /// Its name.
        name: String,
        /// How many of its runs may execute at the same time, in each process; null is limited by the pool only.
        size: Option<u64>,
        /// How many do.
        running: u64,
        /// How many could start and find no room.
        queued: u64,
        /// Since when the run is in it that has been for longest.
        queued_since: Option<Time>,
        /// Whether it is paused.
        paused: bool,
    }
}

record! {
    /// A process of a cluster.
    Node {
        /// Its host and process.
        name: String,
        /// Whether it is the one that answers.
        is_this: bool,
        /// When it started.
        started_at: Time,
        /// For how many seconds nothing was heard of it; after 15 others take its runs.
        silent_seconds: f64,
        /// How many runs it has claimed.
        running: u64,
        /// The same of each job, the most first.
        runs: Vec<Share>,
    }
}

record! {
    /// How many of something are of a job.
    Share {
        /// The name of the job.
        job: String,
        /// How many.
        count: u64,
    }
}

record! {
    /// Why a job does not run, or has not.
    Why {
        /// The name of the job.
        job: String,
        /// The sentence.
        text: String,
    }
}

record! {
    /// A run.
    Run {
        /// Its identity.
        id: String,
        /// The name of its job.
        job: String,
        /// scheduled, waiting, available, running, succeeded, dead or cancelled.
        state: String,
        /// What made it, in words.
        made_by: String,
        /// Who asked for it on the status page or by the API.
        requested_by: Option<String>,
        /// When it was made.
        submitted_at: Time,
        /// When it is to start.
        due_at: Option<Time>,
        /// When its last attempt started.
        started_at: Option<Time>,
        /// When it ended.
        finished_at: Option<Time>,
        /// Its queue.
        queue: String,
        /// Its priority, higher first.
        priority: i64,
        /// How many attempts have begun.
        attempt: u64,
        /// How many may follow the first.
        retries: u64,
        /// What it came to, in a word.
        outcome: Option<String>,
        /// The message of its error.
        message: Option<String>,
        /// Its arguments; null where they are not kept, a text where they are too long to be shown whole.
        arguments: Value,
        /// What it gave, like its arguments.
        output: Value,
        /// How far it is.
        progress: Option<Progress>,
        /// Its attempts that are over, the oldest first.
        attempts: Vec<Attempt>,
        /// The lines that it has written, the oldest first.
        log: Vec<Line>,
        /// The process of a cluster that executes it.
        node: Option<String>,
    }
}

record! {
    /// How far a run is.
    Progress {
        /// How much is done.
        done: u64,
        /// Of how much; 0 where that is not known.
        total: u64,
    }
}

record! {
    /// One try of a run.
    Attempt {
        /// Which it was, from 1.
        number: u64,
        /// When it started.
        started_at: Time,
        /// When it ended.
        finished_at: Time,
        /// What it came to, in a word.
        outcome: String,
        /// The message of its error.
        message: Option<String>,
        /// Its error and the sources of that, the outermost first.
        chain: Vec<String>,
        /// Where it panicked.
        location: Option<String>,
        /// The backtrace of its panic.
        backtrace: Option<String>,
    }
}

record! {
    /// A line that a run has written.
    Line {
        /// Which of its run it is, from 1.
        number: u64,
        /// When.
        at: Time,
        /// By which attempt.
        attempt: u64,
        /// What it says.
        text: String,
    }
}

record! {
    /// Whether the program does its work.
    Wellbeing {
        /// Whether nothing is wrong.
        ok: bool,
        /// What is wrong, in words.
        conditions: Vec<String>,
    }
}

record! {
    /// A run that was made.
    Made {
        /// Its identity.
        run: String,
    }
}

record! {
    /// What was done.
    Done {
        /// In a word.
        done: String,
    }
}

record! {
    /// Why something was not done.
    Problem {
        /// The reason, for a person.
        error: String,
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl From<&Figures> for Recent {
    fn from(figures: &Figures) -> Self {
        Self {
            runs: number(figures.runs),
            failed: number(figures.failed),
            seconds_p50: figures.took(50).map(seconds),
            seconds_p95: figures.took(95).map(seconds),
        }
    }
}

impl Job {
    pub(super) fn of(jobs: &crate::Jobs, job: &JobSnapshot, recent: &Figures) -> Self {
        let schedule = |schedule| Schedule::of(schedule, jobs.wording(job, schedule));
        Self {
            name: job.name.clone(),
            aliases: job.aliases.clone(),
            description: job.description.clone(),
            place: job.place.map(|place| place.to_string()),
            enabled: job.enabled,
            paused: job.paused,
            paused_since: job.paused_since.map(Time),
            status: job.status.to_string(),
            running: number(job.running),
            queued: number(job.queued),
            waiting: number(job.waiting),
            delayed: number(job.delayed),
            retrying: number(job.retrying),
            schedules: job.schedules.iter().map(schedule).collect(),
            previous: job.previous.as_ref().map(Previous::from),
            recent: Recent::from(recent),
            next: job.next.map(Time),
        }
    }
}

impl Schedule {
    fn of(schedule: &ScheduleSnapshot, written: Option<Written>) -> Self {
        Self {
            written: written.map(|written| written.text),
            key: schedule.key.clone(),
            name: schedule.name.clone(),
            text: schedule.text.clone(),
            words: schedule.words.clone(),
            zone: schedule.zone.clone(),
            previous: schedule.previous.map(Time),
            next: schedule.next.map(Time),
            missed_policy: schedule.missed_policy.clone(),
            ran: schedule.ran,
            caught_up: schedule.caught_up,
            skipped: schedule.skipped,
            missed: schedule.missed,
            paused: schedule.paused,
        }
    }
}

impl From<&PreviousRun> for Previous {
    fn from(run: &PreviousRun) -> Self {
        Self {
            id: run.id.to_string(),
            slot: run.slot.map(Time),
            started_at: Time(run.started_at),
            finished_at: Time(run.finished_at),
            seconds: seconds(run.duration()),
            outcome: run.outcome.as_str().to_owned(),
            message: message(&run.outcome),
        }
    }
}

pub(super) fn seconds(duration: Duration) -> f64 {
    // Microseconds are what clocks are good for.
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

pub(super) fn message(outcome: &Outcome) -> Option<String> {
    outcome.message().map(str::to_owned)
}

impl From<LedgerEntry> for Entry {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            schedule: entry.schedule,
            from: Time(entry.from),
            to: Time(entry.to),
            count: entry.count,
            fate: entry.fate.as_str().to_owned(),
            reason: entry.reason,
        }
    }
}

impl From<PoolSnapshot> for Pool {
    fn from(pool: PoolSnapshot) -> Self {
        Self {
            size: pool.size.map(|size| number(size.get())),
            running: number(pool.running),
            queued: number(pool.queued),
        }
    }
}

impl From<&QueueSnapshot> for Queue {
    fn from(queue: &QueueSnapshot) -> Self {
        Self {
            name: queue.name.clone(),
            size: queue.size.map(|size| number(size.get())),
            running: number(queue.running),
            queued: number(queue.queued),
            queued_since: queue.queued_since.map(Time),
            paused: queue.paused,
        }
    }
}

impl From<&NodeSnapshot> for Node {
    fn from(node: &NodeSnapshot) -> Self {
        let share = |(job, count): &(String, u64)| Share { job: job.clone(), count: *count };
        Self {
            name: node.name.clone(),
            is_this: node.is_this,
            started_at: Time(node.started_at),
            silent_seconds: seconds(node.silent),
            running: node.running,
            runs: node.runs.iter().map(share).collect(),
        }
    }
}

/// JSON that was written down, as JSON again.
fn parsed(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()))
}

impl From<&RunSnapshot> for Run {
    fn from(run: &RunSnapshot) -> Self {
        Self {
            id: run.id.to_string(),
            job: run.job.clone(),
            state: run.state.as_str().to_owned(),
            made_by: run.made_by.to_string(),
            requested_by: run.requested_by.clone(),
            submitted_at: Time(run.submitted_at),
            due_at: run.due_at.map(Time),
            started_at: run.started_at.map(Time),
            finished_at: run.finished_at.map(Time),
            queue: run.queue.clone(),
            priority: run.priority.into(),
            attempt: run.attempt.into(),
            retries: run.retries.into(),
            outcome: run.outcome.as_ref().map(|outcome| outcome.as_str().to_owned()),
            message: run.outcome.as_ref().and_then(message),
            arguments: parsed(run.arguments.as_ref()),
            output: parsed(run.output.as_ref()),
            progress: run.progress.map(|far| Progress { done: far.done, total: far.total }),
            attempts: run.attempts.iter().map(Attempt::from).collect(),
            log: run.log.iter().map(Line::from).collect(),
            node: run.node.clone(),
        }
    }
}

impl From<&crate::job::Attempt> for Attempt {
    fn from(attempt: &crate::job::Attempt) -> Self {
        Self {
            number: attempt.number.into(),
            started_at: Time(attempt.started_at),
            finished_at: Time(attempt.finished_at),
            outcome: attempt.outcome.as_str().to_owned(),
            message: message(&attempt.outcome),
            chain: attempt.chain.clone(),
            location: attempt.location.clone(),
            backtrace: attempt.backtrace.clone(),
        }
    }
}

impl From<&LogLine> for Line {
    fn from(line: &LogLine) -> Self {
        Self { number: line.number, at: Time(line.at), attempt: line.attempt.into(), text: line.text.clone() }
    }
}

impl From<Health> for Wellbeing {
    fn from(health: Health) -> Self {
        let conditions = health.conditions.iter();
        Self {
            ok: health.is_ok(),
            conditions: conditions.map(|condition| condition.what.to_string()).collect(),
        }
    }
}
