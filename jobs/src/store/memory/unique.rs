//! Which submissions are one: the index of the runs that stand for others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "sqlite")]
use super::run::{NewRun, State};
use super::{Arrival, JobIx, Memory, RunKey, RunOptions};
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::options::Origin;
use crate::job::run::RunId;
use crate::store::journal;

/// What the submissions have in common that are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UniqueKey {
    job: JobIx,
    /// The compared arguments as canonical JSON.
    arguments: Box<str>,
    /// Of submissions that are one within a window of time: its length and its number since the epoch.
    window: Option<(Duration, i64)>,
}

impl UniqueKey {
    pub(crate) fn new(job: JobIx, arguments: String, window: Option<(Duration, Timestamp)>) -> Self {
        let number = |(length, at): (Duration, Timestamp)| {
            let nanos = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX).max(1);
            (length, at.as_nanos().div_euclid(nanos))
        };
        Self { job, arguments: arguments.into_boxed_str(), window: window.map(number) }
    }

    /// Whether it stands for others in a window of time.
    pub(super) fn has_window(&self) -> bool {
        self.window.is_some()
    }

    /// As it is written down.
    pub(crate) fn record(&self) -> journal::Unique {
        let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let window = self.window.map(|(length, number)| (nanos(length), number));
        journal::Unique { arguments: self.arguments.clone(), window }
    }

    /// As it was written down.
    pub(super) fn restored(job: JobIx, record: journal::Unique) -> Self {
        let window = record.window.map(|(nanos, number)| (Duration::from_nanos(nanos), number));
        Self { job, arguments: record.arguments, window }
    }

    /// How long its window is kept: for as long again as it lasts, an hour at most, for clocks are set back.
    fn kept_until(&self) -> Option<Timestamp> {
        let (length, number) = self.window?;
        let nanos = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
        let end = Timestamp::from_nanos(nanos.saturating_mul(number.saturating_add(1)));
        Some(end.saturating_add(length.min(KEPT)))
    }
}

/// How long a window is kept after its end, at most.
const KEPT: Duration = Duration::from_secs(3600);

/// The runs that stand for others. As long as nothing is unique, there is nothing in it.
#[derive(Debug, Default)]
pub(super) struct Uniques {
    runs: HashMap<Arc<UniqueKey>, (RunId, RunKey)>,
    /// Windows by when they are not kept any more.
    windows: BTreeMap<(Timestamp, RunId), Arc<UniqueKey>>,
}

impl Uniques {
    pub(super) fn get(&self, key: &UniqueKey) -> Option<(RunId, RunKey)> {
        self.runs.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: &Arc<UniqueKey>, id: RunId, run: RunKey) {
        self.runs.insert(Arc::clone(key), (id, run));
        if let Some(end) = key.kept_until() {
            self.windows.insert((end, id), Arc::clone(key));
        }
    }

    /// A run has ended. Within its window one that has succeeded stands for others still.
    pub(super) fn ended(&mut self, key: &UniqueKey, id: RunId, succeeded: bool) {
        if succeeded && key.window.is_some() || self.runs.get(key).is_none_or(|(of, _)| *of != id) {
            return;
        }
        self.runs.remove(key);
        if let Some(end) = key.kept_until() {
            self.windows.remove(&(end, id));
        }
    }

    /// Forgets the windows that are over, whatever became of their runs.
    fn close_windows(&mut self, now: Timestamp) {
        while let Some(first) = self.windows.first_entry()
            && first.key().0 <= now
        {
            let ((_, id), key) = first.remove_entry();
            if self.runs.get(&key).is_some_and(|(of, _)| *of == id) {
                self.runs.remove(&key);
            }
        }
    }
}

/// A submission of which there may have been one already.
#[derive(Debug)]
pub(crate) enum Submitted {
    New(RunId, RunKey),
    /// The run that stands for it, and the work that is not needed.
    Duplicate(RunId, RunKey, Body),
}

impl Memory {
    /// Makes a run, at once or delayed until an instant, unless another stands for it.
    pub(crate) fn submit_unique(
        &mut self,
        key: UniqueKey,
        body: Body,
        origin: Origin,
        options: RunOptions,
        due: Option<Timestamp>,
        now: Timestamp,
    ) -> Submitted {
        self.uniques.close_windows(now);
        if let Some((id, run)) = self.uniques.get(&key) {
            return Submitted::Duplicate(id, run, body);
        }
        let (id, run) = match due {
            None => {
                let (id, run) = (self.ids.next(now), self.reserve());
                self.accept(Arrival { id, key: run, job: key.job, body, origin, options, now });
                (id, run)
            }
            Some(due) => self.delay(key.job, body, options, due, now),
        };
        let key = Arc::new(key);
        self.uniques.insert(&key, id, run);
        if let Some(run) = self.runs.get_mut(run) {
            run.details.set_unique(key);
        }
        Submitted::New(id, run)
    }
}

impl Memory {
    /// The run that stands for others with this in common.
    #[cfg(feature = "sqlite")]
    pub(crate) fn standing(&mut self, key: &UniqueKey, now: Timestamp) -> Option<(RunId, RunKey)> {
        self.uniques.close_windows(now);
        self.uniques.get(key)
    }

    /// Takes a run that is in the store already, at once or delayed until an instant. Where another stands for it, it is
    /// taken out of the store, and its work comes back.
    #[cfg(feature = "sqlite")]
    pub(crate) fn arrive(
        &mut self,
        arrival: Arrival,
        due: Option<Timestamp>,
        unique: Option<UniqueKey>,
    ) -> Result<(), Body> {
        let Arrival { id, key, job, origin, now, .. } = arrival;
        if let Some(unique) = &unique
            && self.standing(unique, now).is_some()
        {
            if let Some(journal) = &mut self.journal {
                journal.forget(id);
            }
            self.runs.unreserve(key);
            return Err(arrival.body);
        }
        match due {
            None => self.accept(arrival),
            Some(due) => {
                let Arrival { body, options, .. } = arrival;
                let state = State::Scheduled { due };
                self.add_run_as(id, key, NewRun { job, occasion: None, origin, state, body, options }, now);
                self.job_mut(job).delayed(key);
            }
        }
        if let Some(unique) = unique {
            let unique = Arc::new(unique);
            self.uniques.insert(&unique, id, key);
            if let Some(run) = self.runs.get_mut(key) {
                run.details.set_unique(unique);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{body, info, reading};
    use super::*;
    use crate::job::run::Outcome;

    #[derive(Debug)]
    struct ModelRun {
        id: RunId,
        key: RunKey,
        arguments: usize,
        window: Option<(u64, i64)>,
        outcome: Option<Outcome>,
    }

    impl ModelRun {
        /// Whether it stands for another of the same.
        fn stands(&self) -> bool {
            self.outcome.as_ref().is_none_or(|outcome| self.window.is_some() && outcome.is_success())
        }
    }

    /// Submits, finishes, fails and cancels at random, and lets time pass.
    #[test]
    fn agrees_with_a_list() {
        for seed in 1..=60_u64 {
            let mut random = seed;
            let mut below = |bound: usize| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((random >> 33) % bound as u64) as usize
            };
            let mut memory = Memory::new(seed);
            memory.retain(super::super::Retention { count: 5, ..Default::default() });
            let job = memory.bind_job(info("a", jobs_syntax::Overlap::Allow)).unwrap();
            let mut model: Vec<ModelRun> = Vec::new();
            let mut seconds: i64 = 1_800_000_000;
            for step in 0..400 {
                let now = Timestamp::from_nanos(seconds * 1_000_000_000);
                let at = format!("seed {seed}, step {step}");
                match below(8) {
                    0..4 => {
                        let arguments = below(3);
                        let length = [None, Some(60), Some(600)][below(3)];
                        let window = length.map(|length| (length, seconds.div_euclid(length as i64)));
                        let due = (below(4) == 0).then(|| now.saturating_add(Duration::from_secs(5)));
                        let of = length.map(|length| (Duration::from_secs(length), now));
                        let key = UniqueKey::new(job, arguments.to_string(), of);
                        let (origin, options) = (Origin::Submission, RunOptions::default());
                        let made = memory.submit_unique(key, body(), origin, options, due, now);
                        let same = |run: &&ModelRun| {
                            run.arguments == arguments && run.window == window && run.stands()
                        };
                        match (made, model.iter().find(same)) {
                            (Submitted::New(id, key), None) => {
                                model.push(ModelRun { id, key, arguments, window, outcome: None });
                            }
                            (Submitted::Duplicate(id, key, _), Some(first)) => {
                                assert_eq!((id, key), (first.id, first.key), "{at}");
                            }
                            (made, wanted) => panic!("{at}: {made:?} instead of {wanted:?}"),
                        }
                    }
                    4..6 => {
                        let Some(claim) = memory.claim(0, reading(now)) else { continue };
                        let outcome =
                            if below(2) == 0 { Outcome::Succeeded } else { Outcome::Failed("no".into()) };
                        memory.finish(claim.key, outcome.clone(), None, None, now);
                        model.iter_mut().find(|run| run.id == claim.id).unwrap().outcome = Some(outcome);
                    }
                    6 => {
                        let live: Vec<_> = model.iter_mut().filter(|run| run.outcome.is_none()).collect();
                        if live.is_empty() {
                            continue;
                        }
                        let count = live.len();
                        let run = live.into_iter().nth(below(count)).unwrap();
                        memory.cancel(run.key, now);
                        run.outcome = Some(Outcome::Cancelled);
                    }
                    _ => seconds += below(100) as i64,
                }
                let now = seconds;
                let stands = |run: &&ModelRun| {
                    let over = run.window.is_some_and(|(length, number)| (number + 2) * length as i64 <= now);
                    run.stands() && !over
                };
                let least = model.iter().filter(stands).count();
                assert!(memory.uniques.runs.len() >= least, "{at}");
                memory.uniques.close_windows(Timestamp::from_nanos(now * 1_000_000_000));
                let open = memory.uniques.runs.len();
                assert_eq!(open, least, "{at}: nothing is left behind");
                assert!(memory.uniques.windows.len() <= open, "{at}");
            }
        }
    }
}
