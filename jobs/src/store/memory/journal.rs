//! What of the runs outlives the process: marked as it changes, read to be written down, and restored.
//!
//! What ends since the process ends is written down as what waits still: a run that the shutdown has interrupted, and one
//! that it has counted out of the queue.

use std::sync::Arc;
use std::time::Duration;

use jobs_syntax::Overlap;

use super::details::Details;
use super::history;
use super::lanes::LaneId;
use super::run::{Run, State};
use super::unique::UniqueKey;
use super::{JobIx, Litter, Memory, Previous, RunKey};
use crate::clock::Timestamp;
use crate::job::body::Body;
#[cfg(feature = "sqlite")]
use crate::job::notes::Notes;
use crate::job::options::Origin;
use crate::job::run::Outcome;
use crate::store::journal::{Changes, Journal, Pauses, Recorded, RunRecord};
use crate::store::slab::Key;

/// After so many ends of the process while it executed, a run is not tried again: it may well be what ends it.
const RESCUES: u32 = 3;

/// How long a run waits that was rescued for the second time, so that others have their turn before it.
const SECOND_RESCUE: Duration = Duration::from_secs(10);

/// What has become of a run that was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restored {
    /// It is to be released when it is due.
    Scheduled {
        due: Timestamp,
    },
    /// It waits, for its turn or for its predecessor.
    Live,
    Ended,
}

impl Memory {
    /// Marks what changes from now on.
    pub(crate) fn record_to(&mut self, journal: Journal) {
        self.journal = Some(journal);
    }

    /// Whether a run outlives the process.
    pub(super) fn outlives(&self, run: &Run) -> bool {
        let is_shared = self.journal.as_ref().is_some_and(|journal| journal.is_shared);
        match run.origin {
            Origin::Startup | Origin::BlockingStart => false,
            // In a cluster every slot is for whoever claims it.
            Origin::Slot if is_shared => true,
            _ => !self.job(run.job).info.is_func,
        }
    }

    /// Whether a run is one that was claimed from a shared store.
    pub(crate) fn is_claimed(&self, key: RunKey) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_shared)
            && self.runs.get(key).is_some_and(|run| self.outlives(run))
    }

    /// A run changes, and is to be written down as it then is.
    pub(super) fn mark(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key) else { return };
        if run.is_marked || !self.outlives(run) {
            return;
        }
        if let (Some(journal), Some(run)) = (&mut self.journal, self.runs.get_mut(key)) {
            run.is_marked = true;
            journal.mark(key);
        }
    }

    /// What is paused changes.
    pub(crate) fn mark_pauses(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.mark_pauses();
        }
    }

    /// What was marked, so many runs at most, and whether more is.
    pub(crate) fn take_changes(&mut self, most: usize, changes: &mut Changes) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let rest = journal.marked.len().saturating_sub(most);
        // The last first: of those that were marked meanwhile, none is missing in the end.
        let marked = journal.marked.split_off(rest);
        changes.gone.append(&mut journal.gone);
        let pauses = std::mem::take(&mut journal.pauses);
        for key in marked {
            changes.runs.extend(self.record(key));
        }
        if pauses {
            changes.pauses = Some(self.pauses());
        }
        rest > 0
    }

    fn pauses(&self) -> Pauses {
        let since =
            |(_, job): (JobIx, &super::JobState)| Some((job.info.name.to_string(), job.paused_since?));
        let paused = self.queues.iter().filter(|(_, queue)| queue.paused);
        Pauses {
            jobs: self.jobs().filter_map(since).collect(),
            queues: paused.map(|(_, queue)| queue.name.to_string()).collect(),
        }
    }

    /// A run as it is to be written down; none when it is not kept any more, which is told apart.
    fn record(&mut self, key: RunKey) -> Option<RunRecord> {
        let run = self.runs.get_mut(key)?;
        run.is_marked = false;
        let (mut details, arguments) = run.details.record();
        let mut attempt = run.attempt;
        let cut_off = |details: &crate::store::journal::Details| {
            matches!(details.outcome, Some(Outcome::Interrupted | Outcome::Lost))
        };
        let state = match run.state {
            State::Ended { started, .. } if details.as_ref().is_some_and(cut_off) => {
                if let Some(details) = &mut details {
                    // An interruption is no attempt.
                    if details.outcome.take() == Some(Outcome::Interrupted) {
                        attempt = attempt.saturating_sub(1);
                        details.failures.retain(|failure| failure.outcome != Outcome::Interrupted);
                    }
                }
                Recorded::Available { since: started }
            }
            State::Scheduled { due } => Recorded::Scheduled { due },
            State::Waiting => Recorded::Waiting,
            State::Available { since } => Recorded::Available { since },
            State::Running { started, .. } => Recorded::Running { started },
            State::Ended { started, finished } => Recorded::Ended { started, finished },
        };
        Some(RunRecord { attempt, arguments, details, ..self.outline(key, state)? })
    }

    /// A run in that state, without what only few have.
    fn outline(&self, key: RunKey, state: Recorded) -> Option<RunRecord> {
        let run = self.runs.get(key)?;
        Some(RunRecord {
            id: run.id,
            job: self.job(run.job).info.name.clone(),
            state,
            origin: run.origin,
            attempt: run.attempt,
            retries: run.retries,
            queue: self.queues.name(run.lane.queue()).clone(),
            priority: run.lane.priority(),
            slot: run.slot,
            schedule: run.schedule,
            is_awaited: run.is_awaited,
            arguments: None,
            details: None,
        })
    }

    /// A run that executes, as it is to be written down when it has succeeded with this; none of one that is not written down.
    #[cfg(feature = "sqlite")]
    pub(crate) fn completed(&mut self, key: RunKey, notes: Notes, finished: Timestamp) -> Option<RunRecord> {
        let run = self.runs.get(key).filter(|run| self.outlives(run))?;
        let State::Running { started, .. } = run.state else { return None };
        let attempt = run.attempt;
        let run = self.runs.get_mut(key)?;
        let (details, arguments) = run.details.record();
        if let Some(arguments) = arguments.clone() {
            // They are to be written with the run as well.
            run.details.set_arguments(arguments);
        }
        let mut details = details.unwrap_or_default();
        details.notes.append(notes, attempt);
        details.unique.take_if(|unique| unique.window.is_none());
        let finished = super::run::end_of(started, finished);
        let outline = self.outline(key, Recorded::Ended { started, finished })?;
        Some(RunRecord { arguments, details: Some(details), ..outline })
    }

    /// A run that was written down by another process, to be restored in the order of identities, those that have ended in
    /// the order in which they did. `body` is none where its arguments could not be read, for the reason given; `clean` says that
    /// that process has ended in good order.
    pub(crate) fn restore(
        &mut self,
        job: JobIx,
        record: RunRecord,
        body: Result<Body, String>,
        clean: bool,
        now: Timestamp,
    ) -> (RunKey, Restored) {
        let RunRecord { id, state, origin, mut attempt, retries, priority, slot, schedule, .. } = record;
        let queue = self.queues.named(&record.queue);
        let lane = self.job(job).lane;
        let lane = queue.map_or(lane, |queue| LaneId::new(queue, priority).threaded(lane.is_threaded()));
        let mut written = record.details;
        let unique = written.as_mut().and_then(|details| details.unique.take());
        let mut rescued = written.as_ref().map_or(0, |details| details.rescued);
        let mut given_up = None;
        let state = match state {
            Recorded::Running { .. } => {
                // It was cut off, which is no attempt.
                attempt = attempt.saturating_sub(1);
                if !clean {
                    rescued += 1;
                    written.get_or_insert_default().rescued = rescued;
                }
                match rescued {
                    _ if clean => State::Available { since: now },
                    RESCUES.. => {
                        given_up = Some(format!(
                            "the process has ended {rescued} times while this run executed, which may be its doing"
                        ));
                        State::Available { since: now }
                    }
                    0 | 1 => State::Available { since: now },
                    _ => State::Scheduled { due: now.saturating_add(SECOND_RESCUE) },
                }
            }
            Recorded::Scheduled { due } => State::Scheduled { due },
            Recorded::Waiting => State::Waiting,
            Recorded::Available { since } => State::Available { since },
            Recorded::Ended { started, finished } => State::Ended { started, finished },
        };
        let ended = matches!(state, State::Ended { .. });
        let body = match body {
            Ok(body) => Some(body),
            Err(_) if ended => None,
            Err(why) => {
                given_up = Some(why);
                None
            }
        };
        let details = written.map_or_else(Details::default, Details::restored);
        let key = self.reserve();
        let is_awaited = record.is_awaited && schedule.is_some();
        let run = Run {
            id,
            job,
            slot,
            schedule,
            is_awaited,
            origin,
            state,
            attempt,
            retries,
            lane,
            seq: 0,
            body,
            is_marked: false,
            details,
        };
        let known = self.runs.len();
        self.runs.fill(key, run);
        self.by_id.push(id, key, known, |key| self.runs.get(key).is_some());
        let stands = self.runs.get(key).is_some_and(|run| run.is_live() || run.details.has_succeeded());
        if let Some(unique) = unique.filter(|_| stands) {
            let unique = Arc::new(UniqueKey::restored(job, unique));
            self.uniques.insert(&unique, id, key);
            if let Some(run) = self.runs.get_mut(key).filter(|run| run.is_live()) {
                run.details.set_unique(unique);
            }
        }
        if let State::Ended { started, finished } = state {
            self.restore_ended(job, key, started, finished, now);
            return (key, Restored::Ended);
        }
        self.live += 1;
        if rescued > 0 {
            self.mark(key);
        }
        if let Some(why) = given_up {
            self.give_up(job, key, why, now);
            return (key, Restored::Ended);
        }
        (key, self.restore_live(job, key, slot.is_some(), state, now))
    }

    fn restore_ended(
        &mut self,
        job: JobIx,
        key: RunKey,
        started: Timestamp,
        finished: Timestamp,
        now: Timestamp,
    ) {
        let Some(run) = self.runs.get(key) else { return };
        let (text, outcome) = (run.details.text(), run.details.outcome());
        let (id, slot) = (run.id, run.slot.map(|slot| slot.at));
        self.text += text;
        let account = self.job_mut(job);
        account.ended(Previous { id, slot, started, finished, outcome });
        let ring = account.ended.get_or_insert_default();
        ring.push(key, finished, text);
        let before = ring.before_last(history::WITH_ARGUMENTS);
        let mut litter = Litter::default();
        if let Some(run) =
            before.and_then(|key| self.runs.get_mut(key)).filter(|run| run.details.has_succeeded())
        {
            litter.add(run.body.take());
        }
        self.forget(job, now, &mut litter);
        self.watch_age(job);
        litter.drop();
    }

    /// A run that is not to be tried has ended.
    pub(super) fn give_up(&mut self, job: JobIx, key: RunKey, why: String, now: Timestamp) {
        let outcome = Outcome::Failed(why);
        let Some(run) = self.runs.get(key) else { return };
        let (id, slot) = (run.id, run.slot.map(|slot| slot.at));
        self.mark(key);
        self.job_mut(job).ended(Previous { id, slot, started: now, finished: now, outcome: outcome.clone() });
        self.end(key, now, outcome, None, now).drop();
    }

    fn restore_live(
        &mut self,
        job: JobIx,
        key: RunKey,
        of_slot: bool,
        state: State,
        now: Timestamp,
    ) -> Restored {
        let account = self.job_mut(job);
        let overlap = account.info.overlap;
        let busy = account.slot_live > 0;
        if of_slot {
            account.slot_live += 1;
            if overlap == Overlap::CancelOther {
                account.cancellable.get_or_insert_default().push(key);
            }
        }
        match state {
            State::Scheduled { due } => {
                account.delayed(key);
                let retrying = self.runs.get(key).is_some_and(Run::is_retried);
                self.job_mut(job).retrying += u32::from(retrying);
                Restored::Scheduled { due }
            }
            // Which of them waits for which is decided anew.
            State::Waiting | State::Available { .. } if of_slot && busy && overlap != Overlap::Allow => {
                account.waiting.get_or_insert_default().push_back(key);
                if let Some(run) = self.runs.get_mut(key) {
                    run.state = State::Waiting;
                }
                Restored::Live
            }
            State::Available { since } => {
                self.make_available(key, since);
                Restored::Live
            }
            _ => {
                self.make_available(key, now);
                Restored::Live
            }
        }
    }

    /// The schedule, in this process, that waits for the end of a run. `false` when that has come.
    pub(crate) fn await_end(&mut self, key: RunKey, schedule: Key) -> bool {
        let Some(run) = self.runs.get_mut(key).filter(|run| run.is_live()) else { return false };
        run.schedule = Some(schedule);
        run.is_awaited = true;
        true
    }
}
