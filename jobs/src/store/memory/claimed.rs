//! Runs that this process has claimed from a store which it shares with others.
//!
//! Such a run is here from its claim to the end of its attempt. What has ended stays, to be looked at; one that is to be tried
//! again goes back, since any process may claim it next.

use std::collections::{HashMap, VecDeque};

use super::details::Details;
use super::lanes::LaneId;
use super::run::{Run, State};
use super::{Cancel, JobIx, Memory, RunKey};
use crate::clock::Timestamp;
use crate::job::attempt::AttemptRecord;
use crate::job::body::Body;
use crate::job::notes::Notes;
use crate::job::options::Origin;
use crate::job::run::{Outcome, RunId};
use crate::job::slot::Slot;
use crate::store::journal;
use crate::store::slab::Key;

/// A run that was claimed from a shared store, and waits for a worker.
#[derive(Debug)]
pub(crate) struct ClaimedRun {
    pub(crate) id: RunId,
    pub(crate) job: JobIx,
    pub(crate) origin: Origin,
    pub(crate) slot: Option<Slot>,
    /// The schedule of this process that has made it, or would have.
    pub(crate) schedule: Option<Key>,
    /// How many attempts have begun before.
    pub(crate) attempt: u32,
    pub(crate) retries: u32,
    pub(crate) queue: String,
    pub(crate) priority: i8,
    /// None where its arguments cannot be read, for the reason given.
    pub(crate) body: Result<Body, String>,
    pub(crate) details: Option<journal::Details>,
    pub(crate) since: Timestamp,
}

impl Memory {
    /// Lets limits over a job be somebody else's, who decides about claims. To be said before there are jobs.
    pub(crate) fn leave_limits(&mut self) {
        self.limits_elsewhere = true;
    }

    /// Lines up a run that was claimed. One whose arguments cannot be read has failed for good.
    pub(crate) fn take_claimed(&mut self, claimed: ClaimedRun, now: Timestamp) -> RunKey {
        let ClaimedRun { id, job, origin, slot, schedule, attempt, retries, priority, since, .. } = claimed;
        let queue = self.queues.named(&claimed.queue);
        let lane = queue.map_or(self.job(job).lane, |queue| LaneId::new(queue, priority));
        let (body, unreadable) = match claimed.body {
            Ok(body) => (Some(body), None),
            Err(why) => (None, Some(why)),
        };
        let run = Run {
            id,
            job,
            slot,
            schedule,
            is_awaited: false,
            origin,
            state: State::Available { since },
            attempt,
            retries,
            lane,
            seq: 0,
            body,
            is_marked: false,
            details: claimed.details.map_or_else(Details::default, Details::restored),
        };
        self.gone_back.remove(id);
        let key = self.reserve();
        let known = self.runs.len();
        self.runs.fill(key, run);
        self.by_id.push(id, key, known, |key| self.runs.get(key).is_some());
        self.live += 1;
        match unreadable {
            Some(why) => self.give_up(job, key, why, now),
            None => {
                self.job_mut(job).slot_live += u32::from(slot.is_some());
                self.make_available(key, since);
            }
        }
        key
    }

    /// What has become of runs that were claimed, so many at most, and whether there is more. Those that are to be tried again
    /// are forgotten here; what is left of them is to be dropped outside the lock.
    pub(crate) fn take_results(
        &mut self,
        most: usize,
        results: &mut Vec<ClaimResult>,
        left: &mut Vec<Body>,
    ) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        journal.gone.clear();
        journal.pauses = false;
        // In their order, so that ends are written in it.
        let more = journal.marked.len() > most;
        let rest = journal.marked.split_off(most.min(journal.marked.len()));
        for key in std::mem::replace(&mut journal.marked, rest) {
            let Some(run) = self.runs.get_mut(key) else { continue };
            run.is_marked = false;
            let id = run.id;
            let last = |details: &journal::Details| {
                details.failures.last().map(|last| (last.started, last.finished))
            };
            let (became, times, details) = match run.state {
                State::Waiting | State::Available { .. } | State::Running { .. } => continue,
                State::Scheduled { due } => {
                    let details = run.details.record().0.unwrap_or_default();
                    left.extend(self.let_go(key));
                    (Became::Retry { due }, last(&details), Some(details))
                }
                State::Ended { started, finished } => {
                    let mut details = run.details.record().0;
                    let outcome = details.as_mut().and_then(|details| details.outcome.take());
                    let became = match outcome {
                        None => Became::Ended(Outcome::Succeeded),
                        Some(Outcome::Interrupted | Outcome::Lost) => Became::Back,
                        Some(outcome) => Became::Ended(outcome),
                    };
                    (became, Some((started, finished)), details)
                }
            };
            let (started, finished) = times.unwrap_or_default();
            results.push(ClaimResult { id, became, started, finished, details });
        }
        more
    }

    /// Forgets all runs that were claimed and wait here, since others may have places for them, and answers which. What is
    /// left of them is to be dropped outside the lock.
    pub(crate) fn let_go_waiting(&mut self) -> (Vec<RunId>, Vec<Body>) {
        let waits = |run: &Run| matches!(run.state, State::Available { .. }) && self.outlives(run);
        let keys: Vec<_> = self.runs.iter().filter(|(_, run)| waits(run)).map(|(key, _)| key).collect();
        let (mut gone, mut left) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
        for key in keys {
            self.withdraw(key);
            let Some(run) = self.runs.get_mut(key) else { continue };
            let (job, of_slot) = (run.job, run.slot.is_some());
            gone.push(run.id);
            left.extend(run.body.take());
            self.job_mut(job).slot_live -= u32::from(of_slot);
            self.live -= 1;
            self.runs.discard(key);
        }
        (gone, left)
    }

    /// Forgets a run that has gone back where it came from: another process may claim it.
    fn let_go(&mut self, key: RunKey) -> Option<Body> {
        let run = self.runs.get_mut(key)?;
        let (job, of_slot, body) = (run.job, run.slot.is_some(), run.body.take());
        let notes = run.details.notes().cloned().unwrap_or_default();
        self.gone_back.add(run.id, Left { attempts: run.details.failures().to_vec(), notes });
        let account = self.job_mut(job);
        account.scheduled -= 1;
        account.retrying -= 1;
        account.slot_live -= u32::from(of_slot);
        self.live -= 1;
        self.runs.discard(key);
        body
    }

    /// The job and the queue of a closure's run that waits here, and that the store counts as one that executes.
    #[cfg(feature = "web")]
    pub(crate) fn waits_claimed(&self, key: RunKey) -> Option<(JobIx, String)> {
        let run = self.runs.get(key)?;
        let waits = matches!(run.state, State::Available { .. }) && self.job(run.job).info.is_func;
        (waits && self.is_claimed(key)).then(|| self.place_of(key)).flatten()
    }

    /// The claim of a run was lost: one that waits ends, without a word to the store.
    pub(crate) fn lose_claim(&mut self, key: RunKey, now: Timestamp) -> Cancel {
        match self.runs.get(key).map(|run| run.state) {
            Some(State::Running { worker, .. }) => Cancel::Running(worker),
            Some(State::Available { .. }) => {
                self.end_unstarted(key, Outcome::Interrupted, now).map_or(Cancel::Gone, Cancel::Ended)
            }
            _ => Cancel::Gone,
        }
    }
}

/// What a run has left here that has gone back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left {
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) notes: Notes,
}

/// The last runs that have gone back, for those who have their handles: until one is claimed again, nothing else here knows of it.
#[derive(Debug, Default)]
pub(super) struct GoneBack {
    by_id: HashMap<RunId, Left>,
    order: VecDeque<RunId>,
}

impl GoneBack {
    const KEPT: usize = 1000;

    fn add(&mut self, run: RunId, left: Left) {
        if self.by_id.insert(run, left).is_none() {
            self.order.push_back(run);
        }
        while self.by_id.len() > Self::KEPT
            && let Some(first) = self.order.pop_front()
        {
            self.by_id.remove(&first);
        }
    }

    fn remove(&mut self, run: RunId) {
        if self.by_id.remove(&run).is_some() {
            self.order.retain(|other| *other != run);
        }
    }
}

impl Memory {
    /// What a run has left here that has gone back.
    pub(crate) fn left_by(&self, run: RunId) -> Option<&Left> {
        self.gone_back.by_id.get(&run)
    }
}

/// What has become of a run that was claimed.
#[derive(Debug)]
pub(crate) struct ClaimResult {
    pub(crate) id: RunId,
    pub(crate) became: Became,
    /// The times of its last attempt.
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
    /// What it leaves, but for its outcome.
    pub(crate) details: Option<journal::Details>,
}

/// What follows the claim of a run.
#[derive(Debug)]
pub(crate) enum Became {
    Ended(Outcome),
    /// It is to be tried again, by whoever claims it then.
    Retry {
        due: Timestamp,
    },
    /// It goes back as it was.
    Back,
}

#[cfg(all(test, feature = "web"))]
mod tests {
    use super::super::tests::{body, info, now, reading};
    use super::*;
    use crate::store::journal::Journal;
    use crate::store::memory::Overlap;

    #[test]
    fn a_closures_run_that_waits_by_a_claim_is_told_from_one_that_was_submitted_here() {
        let mut memory = Memory::new(0);
        memory.record_to(Journal::shared(std::sync::Arc::default()));
        let job = memory.bind_job(info("chime", Overlap::Allow)).unwrap();
        let claimed = ClaimedRun {
            id: RunId::from_u128(7),
            job,
            origin: Origin::Slot,
            slot: Some(Slot::at(now())),
            schedule: None,
            attempt: 0,
            retries: 0,
            queue: "default".to_owned(),
            priority: 0,
            body: Ok(body()),
            details: None,
            since: now(),
        };
        let claimed = memory.take_claimed(claimed, now());
        let (_, here) = memory.submit(job, body(), Origin::Submission, now());
        assert_eq!(memory.waits_claimed(claimed), Some((job, "default".to_owned())));
        assert_eq!(memory.waits_claimed(here), None);
        assert_eq!(memory.claim(0, reading(now())).map(|claim| claim.key), Some(claimed));
        assert_eq!(memory.waits_claimed(claimed), None, "it executes");
    }
}
