//! What became of the slots of a job, for whoever asks.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use super::Jobs;
use super::error::SubmitError;
use crate::clock::Reading;
use crate::job::info::JobInfo;
use crate::scheduler::ledger::{Cause, Entry, Fate, Tally};
use crate::scheduler::planned::Planned;
use crate::store::memory::JobIx;

impl Jobs {
    /// What became of the slots of a job, by its name or an alias: every slot of its schedules that has come since they
    /// were added, with the reason for its fate. Also after a shutdown, where it tells what has passed since.
    ///
    /// ```
    /// # fn example(jobs: jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
    /// for entry in jobs.ledger("nightly")?.entries() {
    ///     println!("{entry}"); // 2026-03-02 03:00:00 to 2026-03-08 03:00:00 UTC, 7 slots: ran
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A name that no job has, with the nearest one.
    pub fn ledger(&self, job: &str) -> Result<LedgerQuery, SubmitError> {
        Ok(LedgerQuery { job: self.find_job(job)?, jobs: self.clone(), between: None, schedule: None })
    }
}

/// A question about what became of slots: made by [`Jobs::ledger`], and answered by [`entries`](Self::entries) or
/// [`tally`](Self::tally).
#[must_use = "nothing is asked until `entries` or `tally` is called"]
pub struct LedgerQuery {
    jobs: Jobs,
    job: JobIx,
    between: Option<(DateTime<Utc>, DateTime<Utc>)>,
    schedule: Option<String>,
}

impl LedgerQuery {
    /// Only the entries with a slot from the one time to the other, both included, as far as their first and last slot tell.
    pub fn between(mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        self.between = Some((from, to));
        self
    }

    /// Only the slots of one schedule, by its key: [`ScheduleSnapshot::key`](crate::ScheduleSnapshot::key).
    pub fn schedule(mut self, key: impl Into<String>) -> Self {
        self.schedule = Some(key.into());
        self
    }

    /// What became of the slots, in their order, those of all schedules among each other. Consecutive slots of a schedule
    /// with one fate are one entry.
    ///
    /// Of each schedule the last 256 entries are kept for as long as `jobs.retention` says, 7 days by default, and the last
    /// one in any case. The slots of older
    /// ones are counted in the [`tally`](Self::tally) alone. A schedule that is removed takes its ledger with it.
    #[must_use]
    pub fn entries(&self) -> Vec<LedgerEntry> {
        let mut entries = self.read(|planned, info, now, closed| {
            let key = planned.identity.key(&planned.timing);
            let since = if closed { planned.unfired(now) } else { Vec::new() };
            let all = planned.ledger.entries().copied().chain(since);
            all.map(|entry| LedgerEntry::new(&key, &entry, info)).collect::<Vec<_>>()
        });
        let mut entries: Vec<_> = entries.drain(..).flatten().collect();
        if let Some((from, to)) = self.between {
            entries.retain(|entry| entry.from <= to && entry.to >= from);
        }
        entries.sort_by(|one, other| (one.from, &one.schedule).cmp(&(other.from, &other.schedule)));
        entries
    }

    /// How many slots there were of each fate since the schedules were added, whether their entries are kept or not, and
    /// whatever [`between`](Self::between) says.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let tallies = self.read(|planned, _, now, closed| {
            let mut tally = planned.ledger.tally();
            if closed {
                planned.unfired(now).iter().for_each(|entry| tally.add(entry.fate, entry.count));
            }
            tally
        });
        tallies.into_iter().fold(Tally::default(), Tally::plus)
    }

    /// What every schedule that is meant answers, of the plan and of the time now, and whether the plan is closed.
    fn read<R>(&self, ask: impl Fn(&Planned, &JobInfo, Reading, bool) -> R) -> Vec<R> {
        let inner = &self.jobs.inner;
        let info = inner.pool.read(|memory| memory.job(self.job).info.clone());
        let now = inner.clock.now();
        inner.scheduler.read(|timers| {
            let of_job = |planned: &&Planned| planned.job == self.job;
            let meant = |planned: &&Planned| {
                let is_key = |key: &String| *key == planned.identity.key(&planned.timing);
                self.schedule.as_ref().is_none_or(is_key)
            };
            let all = timers.schedules().map(|(_, planned)| planned);
            all.filter(of_job)
                .filter(meant)
                .map(|planned| ask(planned, &info, now, timers.is_closed()))
                .collect()
        })
    }
}

impl fmt::Debug for LedgerQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerQuery")
            .field("between", &self.between)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

/// Consecutive slots of a schedule that had the same fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The key of the schedule.
    pub schedule: String,
    /// The nominal time of the first of the slots.
    #[serde(serialize_with = "rfc3339")]
    pub from: DateTime<Utc>,
    /// The nominal time of the last.
    #[serde(serialize_with = "rfc3339")]
    pub to: DateTime<Utc>,
    /// How many there are.
    pub count: u64,
    /// What became of them.
    pub fate: Fate,
    /// What became of them and why, with what is known of the cause: `missed, since the machine slept`.
    pub reason: String,
    /// When the last of them was entered: a slot that was missed or made up for is noticed later than its time.
    #[serde(serialize_with = "rfc3339")]
    pub noticed_at: DateTime<Utc>,
}

fn rfc3339<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

impl LedgerEntry {
    pub(super) fn new(key: &str, entry: &Entry, info: &JobInfo) -> Self {
        Self {
            schedule: key.to_owned(),
            from: entry.from.to_chrono(),
            to: entry.to.to_chrono(),
            count: entry.count,
            fate: entry.fate,
            reason: reason(entry.fate, entry.cause, info),
            noticed_at: entry.noted.to_chrono(),
        }
    }
}

fn reason(fate: Fate, cause: Option<Cause>, info: &JobInfo) -> String {
    match (fate, cause) {
        (Fate::Missed, Some(cause)) => format!("missed, since {}", cause.as_str()),
        (Fate::Skipped, _) => format!("{fate} (`overlap = \"{}\"`)", info.overlap.as_str()),
        _ => fate.to_string(),
    }
}

/// `2026-03-02 12:00:00 to 2026-03-02 15:00:00 UTC, 4 slots: missed, since the machine slept; noticed at 2026-03-02 15:20:31`
impl fmt::Display for LedgerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, count, reason, .. } = self;
        write!(f, "{}", time(*from))?;
        if *count > 1 {
            write!(f, " to {} UTC, {count} slots: {reason}", time(*to))?;
        } else {
            write!(f, " UTC: {reason}")?;
        }
        match self.fate {
            Fate::Missed | Fate::CaughtUp => write!(f, "; noticed at {}", time(self.noticed_at)),
            _ => Ok(()),
        }
    }
}

/// `2026-03-02 12:00:00`, with a fraction where there is one.
pub(super) fn time(at: DateTime<Utc>) -> impl fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S%.f")
}
