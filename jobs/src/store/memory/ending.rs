//! How attempts and runs end: with what is told of it, what is kept, and which others are forgotten.

use std::time::Duration;

use jobs_syntax::Backoff;

use super::run::{State, end_of};
use super::{Ended, JobIx, Litter, Memory, Previous, RunKey, history};
use crate::clock::Timestamp;
use crate::hooks::{Follows, RunChange};
use crate::job::attempt::{AttemptRecord, Trace};
use crate::job::body::Body;
use crate::job::run::Outcome;
use crate::job::steer::Steer;

impl Memory {
    /// A run that was claimed has come to its end. Its waiting successor becomes available in the same step.
    /// Where the job has given it up, what it came to is that.
    // Most runs succeed, and compiled for itself that has nothing of an outcome to copy, to keep or to drop.
    #[inline]
    pub(crate) fn finish(
        &mut self,
        key: RunKey,
        outcome: Outcome,
        trace: Option<Box<Trace>>,
        body: Option<Body>,
        now: Timestamp,
    ) -> Option<Ended> {
        match outcome {
            Outcome::Succeeded => self.succeed(key, body, now),
            outcome => self.fail(key, outcome, trace, body, now),
        }
    }

    fn succeed(&mut self, key: RunKey, body: Option<Body>, now: Timestamp) -> Option<Ended> {
        self.finish_as(key, Outcome::Succeeded, None, body, now)
    }

    #[cold]
    fn fail(
        &mut self,
        key: RunKey,
        outcome: Outcome,
        trace: Option<Box<Trace>>,
        body: Option<Body>,
        now: Timestamp,
    ) -> Option<Ended> {
        self.finish_as(key, outcome, trace, body, now)
    }

    #[inline(always)]
    fn finish_as(
        &mut self,
        key: RunKey,
        outcome: Outcome,
        trace: Option<Box<Trace>>,
        body: Option<Body>,
        now: Timestamp,
    ) -> Option<Ended> {
        let run = self.runs.get_mut(key)?;
        let State::Running { started, .. } = run.state else { return None };
        let (id, slot, awaited_by, ix) = (run.id, run.slot.map(|slot| slot.at), run.awaited_by(), run.job);
        let lane = run.lane;
        let outcome = if outcome.is_success() {
            self.tell(key, now, |_| RunChange::Succeeded { took: now.since(started) });
            outcome
        } else {
            self.note_failure(key, started, outcome, trace, now)
        };
        self.attempt_ended(ix, lane);
        #[cfg(feature = "web")]
        self.pace.ended(now, now.since(started), outcome.is_failure());
        let job = &mut self.jobs[ix.0 as usize];
        job.ended(Previous { id, slot, started, finished: end_of(started, now), outcome: outcome.clone() });
        let waiters = self.waiters_of(key);
        let told = if waiters.is_some() { outcome.clone() } else { Outcome::Succeeded };
        let litter = self.end(key, started, outcome, body, now);
        if slot.is_some() {
            self.slot_ended(ix, key, now);
        }
        if waiters.is_none() && litter.is_empty() && awaited_by.is_none() {
            return None;
        }
        Some(Ended { outcome: told, waiters: waiters.unwrap_or_default(), litter, awaited_by })
    }

    /// Keeps and tells how the last attempt of a run did not succeed, and says what the run has come to by it.
    #[cold]
    fn note_failure(
        &mut self,
        key: RunKey,
        started: Timestamp,
        outcome: Outcome,
        trace: Option<Box<Trace>>,
        now: Timestamp,
    ) -> Outcome {
        let discarded = match trace.as_ref().and_then(|trace| trace.said.as_ref()) {
            Some(Steer::Discard(reason)) => Some(reason.clone()),
            _ => None,
        };
        if let Some(run) = self.runs.get_mut(key) {
            let number = run.attempt;
            let finished = end_of(started, now);
            let record = AttemptRecord { number, started, finished, outcome: outcome.clone(), trace };
            run.details.add_failure(record);
        }
        self.tell(key, now, |_| {
            let took = now.since(started);
            let follows = match &discarded {
                Some(reason) => Follows::Discarded { reason: reason.clone() },
                None => Follows::Dead,
            };
            match outcome.clone() {
                outcome if outcome.is_failure() => RunChange::Failed { outcome, took, follows },
                outcome => RunChange::Ended { outcome },
            }
        });
        discarded.map_or(outcome, Outcome::Discarded)
    }

    /// The run has ended: it stays in its place, and others are forgotten.
    #[inline(always)]
    pub(super) fn end(
        &mut self,
        key: RunKey,
        started: Timestamp,
        outcome: Outcome,
        mut body: Option<Body>,
        now: Timestamp,
    ) -> Litter {
        let run = self.runs.get_mut(key).expect("invariant: a run that ends is known");
        let finished = end_of(started, now);
        run.state = State::Ended { started, finished };
        if let Some(unique) = run.details.take_unique() {
            self.uniques.ended(&unique, run.id, outcome.is_success());
            // Within its window it stands for others still, also when the process has ended.
            if self.journal.is_some() && outcome.is_success() && unique.has_window() {
                run.details.set_unique(unique);
            }
        }
        if !outcome.is_success() {
            run.details.end(outcome);
        }
        run.body = body.take_if(|body| body.is_data());
        let text = run.details.text();
        let ix = run.job;
        self.live -= 1;
        self.text += text;
        let mut litter = Litter::default();
        litter.add(body);
        let ring = self.jobs[ix.0 as usize].ended.get_or_insert_default();
        ring.push(key, finished, text);
        if let Some(before) = ring.before_last(history::WITH_ARGUMENTS)
            && let Some(run) = self.runs.get_mut(before)
            && run.details.has_succeeded()
        {
            litter.add(run.body.take());
        }
        self.forget(ix, now, &mut litter);
        self.watch_age(ix);
        litter
    }

    /// Forgets runs of a job that are not to be kept any more: a few, for everybody waits meanwhile.
    pub(super) fn forget(&mut self, ix: JobIx, now: Timestamp, litter: &mut Litter) {
        const AT_A_TIME: usize = 8;
        let Some(ring) = &mut self.jobs[ix.0 as usize].ended else { return };
        for _ in 0..AT_A_TIME {
            let crowded = self.text > history::TEXT_OF_ALL;
            let Some(key) = ring.outdated(&self.retention, crowded, now) else { return };
            let text = self.runs.get_mut(key).map_or(0, |run| {
                litter.add(run.body.take());
                if let Some(journal) = &mut self.journal {
                    journal.forget(run.id);
                }
                run.details.text()
            });
            self.runs.discard(key);
            self.text -= text;
            ring.pop(text);
        }
    }

    /// By which backoff, and after how many failures, a run that executes may be tried again; none when this is its
    /// last attempt.
    pub(crate) fn may_retry(&self, key: RunKey) -> Option<(Backoff, u32)> {
        let run = self.runs.get(key)?;
        let backoff = || (self.job(run.job).info.attempts.backoff(), run.attempt);
        (run.attempt <= run.retries).then(backoff)
    }

    /// An attempt of a run that was claimed has failed, and another is to follow when `wait` has passed.
    pub(crate) fn retry(
        &mut self,
        key: RunKey,
        outcome: Outcome,
        trace: Option<Box<Trace>>,
        body: Body,
        wait: Duration,
        now: Timestamp,
    ) {
        let run = self.runs.get_mut(key).expect("invariant: a run that executes is kept");
        let State::Running { started, .. } = run.state else {
            unreachable!("invariant: only the worker that executes a run ends its attempt")
        };
        run.details.add_failure(AttemptRecord {
            number: run.attempt,
            started,
            finished: end_of(started, now),
            outcome,
            trace,
        });
        let due = now.saturating_add(wait);
        run.state = State::Scheduled { due };
        run.body = Some(body);
        let (ix, lane) = (run.job, run.lane);
        self.tell(key, now, |run| RunChange::Failed {
            outcome: run.details.failures().last().map_or(Outcome::Unknown, |last| last.outcome.clone()),
            took: now.since(started),
            follows: Follows::Retry { at: due.to_chrono() },
        });
        let job = self.job_mut(ix);
        job.delayed(key);
        job.retrying += 1;
        self.attempt_ended(ix, lane);
    }

    /// The worker that executes a run has died. Answers how often that has happened to it.
    pub(crate) fn worker_died(&mut self, key: RunKey) -> u32 {
        self.runs.get_mut(key).map_or(0, |run| run.details.add_death())
    }

    /// As [`retry`](Self::retry), after an attempt that does not count, since nobody knows whose fault its end was.
    pub(crate) fn retry_uncounted(&mut self, key: RunKey, body: Body, wait: Duration, now: Timestamp) {
        self.retry(key, Outcome::Interrupted, None, body, wait, now);
        if let Some(run) = self.runs.get_mut(key) {
            run.attempt -= 1;
        }
    }

    /// Ends a run that waits, for whatever.
    pub(super) fn end_unstarted(&mut self, key: RunKey, outcome: Outcome, now: Timestamp) -> Option<Ended> {
        let run = self.runs.get_mut(key)?;
        let (id, slot, ix, state) = (run.id, run.slot.map(|slot| slot.at), run.job, run.state);
        let awaited_by = run.awaited_by();
        self.tell(key, now, |_| RunChange::Ended { outcome: outcome.clone() });
        let run = self.runs.get_mut(key)?;
        let body = run.body.take();
        let last = run.details.failures().last().map(|last| (last.started, last.finished));
        let job = &mut self.jobs[ix.0 as usize];
        // What never started is no previous run.
        if let Some((started, finished)) = last {
            job.ended(Previous { id, slot, started, finished, outcome: outcome.clone() });
        }
        match state {
            State::Scheduled { .. } => {
                job.undelayed(key);
                job.retrying -= u32::from(last.is_some());
            }
            State::Available { .. } => self.withdraw(key),
            State::Waiting => {
                if let Some(waiting) = &mut job.waiting {
                    waiting.retain(|other| *other != key);
                }
            }
            State::Running { .. } | State::Ended { .. } => {
                unreachable!("invariant: the run waits")
            }
        }
        let started = last.map_or(now, |(started, _)| started);
        let litter = self.end(key, started, outcome.clone(), body, now);
        if slot.is_some() {
            self.slot_ended(ix, key, now);
        }
        let waiters = self.waiters_of(key).unwrap_or_default();
        Some(Ended { outcome, waiters, litter, awaited_by })
    }
}
