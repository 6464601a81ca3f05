//! An instance whose runs outlive the process: opened with what the process before has left, and written down since.

mod arriving;
mod completing;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Jobs;
use super::error::{StartError, SubmitError};
use super::known::{Known, KnownJob, body};
use crate::config::{Settings, Store};
use crate::error::{Place, Problem};
use crate::pool::{Recovery, Transactions};
use crate::registry::Registered;
use crate::scheduler::marks::AllLeft;
use crate::scheduler::saved::Left;
use crate::scheduler::timers::Delay;
use crate::store::journal::{Commits, Failing, Journal};
use crate::store::memory::{JobIx, Restored, RunKey};
use crate::store::sqlite::{
    Batch, Database, Loaded, LoadedRun, OpenError, ScheduleRow, Synchronous, What, Writer, Written,
};
use crate::telemetry::{self, panics};
use arriving::Arriving;

/// What an instance has that outlives its process.
#[derive(Debug)]
pub(super) struct Durable {
    commits: Arc<Commits>,
    writer: Mutex<Option<Writer>>,
    /// What was submitted in transactions of the program's.
    arriving: Arc<Arriving>,
    path: OnceLock<PathBuf>,
    /// On the clock of a test, which must not go on while a commit is waited for.
    blocks: bool,
}

/// A database, and what the process before has left in it.
#[derive(Debug)]
pub(super) struct Opened {
    database: Database,
    loaded: Loaded,
}

/// Opens the store of the config, where that outlives the process.
pub(super) async fn open(settings: &Settings) -> Result<Option<Opened>, StartError> {
    let Store::Sqlite { path, relaxed } = &settings.store.value else { return Ok(None) };
    let place = &settings.store.place;
    let synchronous = if *relaxed { Synchronous::Normal } else { Synchronous::Full };
    let mut database = Database::open(path, synchronous).await.map_err(|error| refused(&error, place))?;
    let sql = |error| refused(&OpenError::Sql { path: path.clone(), error }, place);
    let loaded = database.load().await.map_err(sql)?;
    Ok(Some(Opened { database, loaded }))
}

fn refused(error: &OpenError, place: &Place) -> StartError {
    let problem = Problem::new(format!("the store {error}")).at(place.clone());
    let help = match error {
        OpenError::Owned { .. } => {
            "one process owns the file; end the other first, give this one a file of its own, or take PostgreSQL"
        }
        OpenError::TooNew { .. } => "run the later version, or give this one a file of its own",
        OpenError::Io { .. } | OpenError::Sql { .. } => {
            "`jobs.store = \"sqlite:PATH\"` names a database of SQLite, or a new file in a folder that is there and can be \
             written to"
        }
    };
    StartError::new(vec![problem.help(help)])
}

impl Durable {
    pub(super) fn new(blocks: bool) -> Self {
        Self {
            commits: Arc::default(),
            writer: Mutex::default(),
            arriving: Arc::default(),
            path: OnceLock::new(),
            blocks,
        }
    }

    /// Since when and why nothing can be written.
    pub(super) fn failing(&self) -> Option<Failing> {
        self.commits.failing()
    }

    /// The file; empty before it is opened.
    fn path(&self) -> &Path {
        self.path.get().map_or(Path::new(""), PathBuf::as_path)
    }

    fn other_file(&self) -> String {
        format!("the transaction is not one on `{}`, where the runs are kept", self.path().display())
    }

    /// Writes what is marked still, and lets the store go. It blocks the thread until then.
    pub(super) fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            writer.close();
        }
    }
}

impl Jobs {
    /// Goes on with what the process before has left, and writes down what becomes of it from now on.
    pub(super) fn restore(
        &self,
        opened: Opened,
        registered: &[(JobIx, Registered)],
    ) -> Result<(), StartError> {
        let inner = &self.inner;
        let durable = inner.durable.as_ref().expect("invariant: a store was opened for it");
        let Opened { database, loaded } = opened;
        let Loaded { clean, ended, live, schedules, pauses } = loaded;
        let (pool, scheduler) = (&inner.pool, &inner.scheduler);
        pool.record_to(Journal::new(Arc::clone(&durable.commits)));
        if let Some(last) = live.iter().map(|run| run.record.id).max().filter(|_| !clean) {
            pool.recover(Recovery { commits: Arc::clone(&durable.commits), last, blocks: durable.blocks });
        }
        let known = Known::new(self, registered);
        let paused = pauses.jobs.iter().filter_map(|(job, since)| Some((known.get(job)?.ix, *since)));
        pool.restore_pauses(paused, &pauses.queues);
        let mut runs = Restoring { jobs: self, known: &known, clean, left: HashMap::new(), unknown: 0 };
        let restored = ended.into_iter().chain(live).map(|run| runs.restore(run)).collect::<Vec<_>>();
        let Restoring { left, unknown, .. } = runs;
        let live = restored.iter().flatten().count();
        for (key, due) in restored.into_iter().flatten().filter_map(|(key, due)| Some((key, due?))) {
            scheduler.delay(key, Delay::At(due));
        }
        let (all_left, renamed) = left_of(schedules, left, &known);
        scheduler.record_to(Arc::clone(&durable.commits), all_left);
        let _ = panics::catch(|| telemetry::resumed(database.path(), live, unknown, clean));
        let (pool, scheduler) = (Arc::clone(pool), Arc::clone(scheduler));
        let take = move || {
            // Schedules before runs: what a schedule has gone on from is a run by then.
            let schedules = scheduler.take_changes();
            let changes = pool.take_changes();
            let name = |ix: JobIx| pool.read(|memory| memory.job(ix).info.name.to_string());
            let key_of =
                |schedule| scheduler.read(|timers| timers.get(schedule).map(|planned| planned.key()));
            let row = |(ix, key, saved)| {
                // Everything in it can be written as JSON.
                Some(ScheduleRow { job: name(ix), key, saved: serde_json::to_string(&saved).ok()? })
            };
            Batch {
                runs: changes
                    .runs
                    .into_iter()
                    .map(|run| {
                        let key = run.schedule.and_then(key_of);
                        (run, key)
                    })
                    .collect(),
                gone: changes.gone,
                schedules: schedules.saved.into_iter().filter_map(row).collect(),
                removed: {
                    let removed = schedules.removed.into_iter().map(|(ix, key)| (name(ix), key));
                    removed.chain(schedules.gone).collect()
                },
                pauses: changes.pauses,
            }
        };
        let clock = Arc::clone(&inner.clock);
        let now = move || clock.now().wall;
        let _ = durable.path.set(database.path().to_owned());
        let settle = {
            let (pool, scheduler) = (Arc::clone(&inner.pool), Arc::clone(&inner.scheduler));
            let arriving = Arc::clone(&durable.arriving);
            move |written: Written, is_there| match written.what {
                What::Run => arriving.settle(written.run, is_there, &pool, &scheduler),
                What::End => pool.completion_known(written.ticket, is_there),
            }
        };
        inner.pool.heed(Transactions {
            outside: Arc::clone(&durable.arriving.outside),
            commits: Arc::clone(&durable.commits),
            blocks: durable.blocks,
            told: tokio::sync::Notify::new(),
        });
        let (commits, outside) = (Arc::clone(&durable.commits), Arc::clone(&durable.arriving.outside));
        let writer =
            Writer::start(database, commits, renamed, take, now, outside, settle).map_err(|error| {
                StartError::new(vec![Problem::new(format!(
                    "the thread that writes the store cannot be started: {error}"
                ))])
            })?;
        *durable.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        Ok(())
    }

    /// Waits until everything is written that has been submitted, where it outlives the process.
    pub(super) fn commit_blocking(&self) -> Result<(), SubmitError> {
        let Some(durable) = &self.inner.durable else { return Ok(()) };
        let request = durable.commits.request();
        durable.commits.committed_blocking(request).map_err(|why| SubmitError::not_written(&why))
    }

    /// The same without blocking the thread.
    pub(super) async fn commit(&self) -> Result<(), SubmitError> {
        let Some(durable) = &self.inner.durable else { return Ok(()) };
        if durable.blocks {
            return self.commit_blocking();
        }
        let request = durable.commits.request();
        durable.commits.committed(request).await.map_err(|why| SubmitError::not_written(&why))
    }
}

/// What was left of schedules, under the names that their jobs have now, and what is to be written of those whose job had
/// another.
fn left_of(
    rows: Vec<ScheduleRow>,
    mut of_runs: HashMap<(JobIx, String), OfSchedule>,
    known: &Known,
) -> (AllLeft, Batch) {
    let (mut all, mut renamed) = (AllLeft::new(), Batch::default());
    let is_alias = |row: &ScheduleRow| known.get(&row.job).is_some_and(|job| job.name != row.job);
    // What a job has under its own name is newer than what it has under another.
    let (aliases, own): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_alias);
    for ScheduleRow { job: written, key, saved } in own.into_iter().chain(aliases) {
        let job = known.get(&written);
        let name = job.map_or(written.as_str(), |job| job.name);
        if name != written {
            renamed.removed.push((written.clone(), key.clone()));
        }
        let of_job = all.entry(name.to_owned()).or_default();
        if of_job.contains_key(&key) {
            continue;
        }
        if name != written {
            let (job, key, saved) = (name.to_owned(), key.clone(), saved.clone());
            renamed.schedules.push(ScheduleRow { job, key, saved });
        }
        match serde_json::from_str(&saved) {
            Ok(saved) => {
                let (mut ran, awaits) =
                    job.and_then(|job| of_runs.remove(&(job.ix, key.clone()))).unwrap_or_default();
                ran.sort_unstable();
                of_job.insert(key, Left { saved, ran, awaits });
            }
            Err(error) => drop(panics::catch(|| telemetry::unreadable_schedule(name, &key, &error))),
        }
    }
    (all, renamed)
}

/// Slots of a schedule that have made runs, and the live run that it waits for.
type OfSchedule = (Vec<crate::clock::Timestamp>, Option<RunKey>);

struct Restoring<'a> {
    jobs: &'a Jobs,
    known: &'a Known,
    clean: bool,
    left: HashMap<(JobIx, String), OfSchedule>,
    /// Runs of jobs that this program does not have.
    unknown: usize,
}

impl Restoring<'_> {
    /// A live run has its key, and when it is due if it is not yet.
    fn restore(&mut self, run: LoadedRun) -> Option<(RunKey, Option<crate::clock::Timestamp>)> {
        let LoadedRun { record, schedule } = run;
        let pool = &self.jobs.inner.pool;
        pool.resume_after(record.id);
        let Some(KnownJob { ix, read, .. }) = self.known.get(&record.job) else {
            self.unknown += 1;
            return None;
        };
        let now = self.jobs.inner.clock.now().wall;
        let body = body(read, record.arguments.as_deref());
        let (slot, is_awaited) = (record.slot, record.is_awaited);
        let (key, restored) = pool.restore(ix, record, body, self.clean, now);
        if let (Some(schedule), Some(slot)) = (schedule, slot) {
            let (ran, awaits) = self.left.entry((ix, schedule)).or_default();
            ran.push(slot.at);
            if is_awaited && restored != Restored::Ended {
                *awaits = Some(key);
            }
        }
        match restored {
            Restored::Ended => None,
            Restored::Live => Some((key, None)),
            Restored::Scheduled { due } => Some((key, Some(due))),
        }
    }
}
