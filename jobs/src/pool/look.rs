//! What is known of single runs, live and kept.

use super::Pool;
use crate::job::attempt::AttemptRecord;
use crate::job::notes::{Notes, Progress};
use crate::job::output::Output;
use crate::job::run::RunId;
use crate::store::memory::{Filter, Found, JobIx, RunKey, Watch};

impl Pool {
    /// The outcome of a run, now or later.
    pub(crate) fn watch(&self, key: RunKey) -> Watch {
        self.lock().memory.watch(key)
    }

    /// The attempts of a run that are over.
    pub(crate) fn attempts(&self, key: RunKey) -> Vec<AttemptRecord> {
        self.lock().memory.attempts(key)
    }

    /// Says of a run who asked for it on the status page.
    #[cfg(feature = "web")]
    pub(crate) fn set_requested_by(&self, key: RunKey, who: &str) {
        self.lock().memory.set_requested_by(key, who);
    }

    /// The key of a run, live or kept.
    pub(crate) fn key_of(&self, id: RunId) -> Option<RunKey> {
        self.lock().memory.key_of(id)
    }

    /// What is known of a run.
    pub(crate) fn found(&self, key: RunKey) -> Option<Found> {
        let mut shared = self.lock();
        let mut found = shared.memory.found(key)?;
        shared.add_laid(&mut found);
        Some(found)
    }

    /// Looks at some runs, as [`Memory::look_through`](crate::store::memory::Memory::look_through).
    pub(crate) fn look_through(
        &self,
        filter: &Filter,
        before: Option<RunId>,
        count: usize,
    ) -> (Vec<Found>, Option<RunId>) {
        let mut shared = self.lock();
        let (mut found, next) = shared.memory.look_through(filter, before, count);
        found.iter_mut().for_each(|found| shared.add_laid(found));
        (found, next)
    }

    /// The runs of a job made before one, or all of them, the youngest first. It takes the lock for a part at a time.
    pub(crate) fn runs_of(&self, job: JobIx, before: Option<RunId>) -> Vec<(RunId, RunKey)> {
        let (mut keys, mut live) = self.lock().memory.ended_of(job);
        let mut next = None;
        while live > 0 {
            let (found, then) = self.lock().memory.live_among(job, next);
            live = live.saturating_sub(found.len());
            keys.extend(found);
            next = then;
            if next.is_none() {
                break;
            }
        }
        let mut runs = Vec::with_capacity(keys.len());
        for part in keys.chunks(512) {
            let shared = self.lock();
            runs.extend(part.iter().filter_map(|key| shared.memory.id_of(*key).map(|id| (id, *key))));
        }
        in_order(runs, before)
    }

    /// The runs that execute and were made before one, or all of them, the youngest first. It looks at the workers, and
    /// at no run that is kept.
    pub(crate) fn runs_executed(&self, before: Option<RunId>) -> Vec<(RunId, RunKey)> {
        let shared = self.lock();
        let executed = shared.workers.executed();
        let runs = executed.filter_map(|(key, _)| shared.memory.id_of(key).map(|id| (id, key))).collect();
        drop(shared);
        in_order(runs, before)
    }

    /// At most so many of the next of some runs that are wanted.
    pub(crate) fn look_at(
        &self,
        filter: &Filter,
        keys: &mut impl Iterator<Item = RunKey>,
        most: usize,
    ) -> Vec<Found> {
        let mut shared = self.lock();
        let mut found = shared.memory.look_at(filter, keys, most);
        found.iter_mut().for_each(|found| shared.add_laid(found));
        found
    }

    /// How far a run is, or was at its end.
    pub(crate) fn progress(&self, key: RunKey) -> Option<Progress> {
        let shared = self.lock();
        let said = |(worker, _)| shared.workers.laid(worker, |laid| laid.notes.progress).flatten();
        let now = shared.memory.worker(key).and_then(said);
        now.or_else(|| shared.memory.notes(key).and_then(|notes| notes.progress))
    }

    /// What the attempts of a run have left for others to read.
    pub(crate) fn notes(&self, key: RunKey) -> Notes {
        let shared = self.lock();
        let mut notes = shared.memory.notes(key).cloned().unwrap_or_default();
        if let Some((worker, attempt)) = shared.memory.worker(key)
            && let Some(laid) = shared.workers.laid(worker, |laid| laid.notes.clone())
        {
            notes.append(laid, attempt);
        }
        notes
    }

    /// What a run has given.
    pub(crate) fn output(&self, key: RunKey) -> Option<Output> {
        self.lock().memory.notes(key).and_then(|notes| notes.output.clone())
    }

    /// Makes a delayed run pretend to be another attempt, or one for a slot.
    #[cfg(feature = "testing")]
    pub(crate) fn preset(&self, key: RunKey, attempt: u32, slot: Option<crate::clock::Timestamp>) {
        self.lock().memory.preset(key, attempt, slot);
    }
}

/// Those made before a run, the youngest first.
fn in_order(mut runs: Vec<(RunId, RunKey)>, before: Option<RunId>) -> Vec<(RunId, RunKey)> {
    runs.retain(|(id, _)| before.is_none_or(|before| *id < before));
    runs.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
    // One that has ended meanwhile was found twice.
    runs.dedup_by_key(|(id, _)| *id);
    runs
}
