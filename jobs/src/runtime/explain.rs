//! Why a job does not run, or has not, in one sentence.

mod sentence;

use std::fmt;

use serde::Serialize;

use super::error::SubmitError;
use super::{Jobs, Phase};
use crate::clock::Timestamp;
use crate::error::Place;
use crate::pool::Gauge;
use crate::registry::Timing;
use crate::scheduler::ledger::Entry;
use crate::store::memory::{HeldBack, LiveRun, Previous};

impl Jobs {
    /// Why a job does not run, or has not run, by its name or an alias: one sentence about what stands in its way now, or
    /// else about its last slot, its last run or its next slot, with what to do where there is something to do.
    ///
    /// ```
    /// # fn example(jobs: jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{}", jobs.explain("nightly")?);
    /// // `nightly` is paused since 2026-03-02 14:00:00 UTC; `jobs.resume("nightly")` lets it fire again
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A name that no job has, with the nearest one.
    pub fn explain(&self, job: &str) -> Result<Explanation, SubmitError> {
        let ix = self.find_job(job)?;
        let inner = &self.inner;
        let now = inner.clock.now();
        let ending = match *inner.phase.borrow() {
            Phase::Starting | Phase::Running => None,
            Phase::ShuttingDown => Some(Ending::Begun),
            Phase::Ended(_) => Some(Ending::Done),
        };
        let schedules = inner.scheduler.read(|timers| {
            let of_job = timers.schedules().map(|(_, planned)| planned).filter(|planned| planned.job == ix);
            let scheduled = of_job.map(|planned| Scheduled {
                key: planned.identity.key(&planned.timing),
                off_at: match &planned.timing {
                    Timing::Off(place) => Some((**place).clone()),
                    _ => None,
                },
                next: planned.next_slot(now),
                last: planned.ledger.last().copied(),
                makes_up: planned.missed_policy() != jobs_syntax::Missed::SKIP,
            });
            scheduled.collect()
        });
        let pool = inner.pool.gauge();
        let settings = inner.settings();
        let runs_now = self.template_of(ix).is_some();
        let facts = inner.pool.read_executed(|memory, executed| {
            let job = memory.job(ix);
            let name = job.info.name.to_string();
            let said = settings.overrides.get(&name).and_then(|said| said.enabled.as_ref());
            let declared = job
                .info
                .descriptor
                .map(|descriptor| Place::Code { file: descriptor.file, line: descriptor.line });
            let switched_off_at = said.map(|said| said.place.clone()).or(declared);
            Facts {
                name,
                now: now.wall,
                ending,
                disabled_at: switched_off_at.filter(|_| !job.info.enabled),
                paused_since: job.paused_since,
                overlap: job.info.overlap.as_str(),
                runs_now,
                live: memory.live_of(ix, executed),
                held_back: memory.held_back(ix),
                previous: job.previous.as_deref().cloned(),
                pool,
                schedules,
            }
        });
        let (why, text) = sentence::explain(&facts);
        Ok(Explanation { job: facts.name, why, text })
    }
}

/// Why a job does not run, or has not run: from [`Jobs::explain`]. `Display` is the sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The name of the job.
    pub job: String,
    /// The reason in a word.
    pub why: Why,
    /// The sentence.
    pub text: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What an [`Explanation`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// The instance is shutting down, or has been shut down.
    ShutDown,
    /// It runs now.
    Running,
    /// A run of it waits for room in the pool.
    Queued,
    /// A run of it is held back by its queue, or by its `concurrency` or `rate`.
    HeldBack,
    /// A run of it waits for the end of the one before.
    Waiting,
    /// A run of it has failed and waits to be tried again.
    Retrying,
    /// A run of it waits for its time.
    Delayed,
    /// It is not enabled here.
    Disabled,
    /// It is paused.
    Paused,
    /// It has no schedule.
    NotScheduled,
    /// Its schedules are switched off.
    Off,
    /// Its last slot was dropped by its overlap policy.
    Skipped,
    /// Its last slot was missed.
    Missed,
    /// Its last slot passed while it was paused, which it is not any more.
    WasPaused,
    /// It did run, and did not succeed.
    Failed,
    /// It did run.
    Ran,
    /// It has had no slot yet.
    NotDue,
}

/// How far the end of an instance has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Begun,
    Done,
}

/// What is known of a job.
#[derive(Debug, Clone)]
struct Facts {
    name: String,
    now: Timestamp,
    ending: Option<Ending>,
    /// Where it is said that it is not enabled.
    disabled_at: Option<Place>,
    paused_since: Option<Timestamp>,
    overlap: &'static str,
    /// Whether `run_now` has values for its arguments.
    runs_now: bool,
    live: Vec<LiveRun>,
    /// What keeps the first of them that could start from starting, beside the pool.
    held_back: Option<HeldBack>,
    previous: Option<Previous>,
    pool: Gauge,
    schedules: Vec<Scheduled>,
}

/// What is known of a schedule.
#[derive(Debug, Clone)]
struct Scheduled {
    key: String,
    off_at: Option<Place>,
    next: Option<Timestamp>,
    /// The last entry of its ledger.
    last: Option<Entry>,
    /// Whether it makes up for slots that are missed.
    makes_up: bool,
}
