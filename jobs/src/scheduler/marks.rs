//! Which schedules have changed, for a store that outlives the process, and what the process before has left of them.

use std::collections::HashMap;
use std::sync::Arc;

use jobs_syntax::Missed;

use super::planned::{Planned, ScheduleKey};
use super::saved::{Left, Saved};
use super::timers::Timers;
use crate::clock::Reading;
use crate::registry::Resolved;
use crate::store::journal::Commits;
use crate::store::memory::JobIx;

/// Which schedules have changed since they were last written down.
#[derive(Debug)]
pub(super) struct Marks {
    marked: Vec<ScheduleKey>,
    removed: Vec<(JobIx, String)>,
    left: AllLeft,
    /// The jobs that have added schedules: a closure is known by nothing but its name before it is there.
    names: HashMap<JobIx, String>,
    /// The schedules of the source have been added.
    begun: bool,
    commits: Arc<Commits>,
}

/// What the process before has left of schedules, by the name of the job and the key.
pub(crate) type AllLeft = HashMap<String, HashMap<String, Left>>;

/// Schedules that have changed.
#[derive(Debug, Default)]
pub(crate) struct ScheduleChanges {
    pub(crate) saved: Vec<(JobIx, String, Saved)>,
    pub(crate) removed: Vec<(JobIx, String)>,
    /// What was left, by the name of the job and the key, and has gone from the program.
    pub(crate) gone: Vec<(String, String)>,
}

impl Timers {
    /// Marks what changes from now on, and goes on with what the process before has left of the schedules that are added.
    pub(crate) fn record_to(&mut self, commits: Arc<Commits>, left: AllLeft) {
        let (marked, removed, names) = (Vec::new(), Vec::new(), HashMap::new());
        self.marks = Some(Marks { marked, removed, left, names, begun: false, commits });
    }

    /// The name of a job that adds a schedule.
    pub(super) fn know(&mut self, job: JobIx, name: &str) {
        if let Some(marks) = &mut self.marks {
            marks.names.entry(job).or_insert_with(|| name.to_owned());
        }
    }

    /// Everything that was marked.
    pub(crate) fn take_changes(&mut self, now: Reading) -> ScheduleChanges {
        let mut changes = ScheduleChanges::default();
        let closed = self.is_closed();
        let Some(marks) = &mut self.marks else { return changes };
        changes.removed = std::mem::take(&mut marks.removed);
        if closed && marks.begun {
            // What nobody has added in the whole life of the process has gone from the program.
            let all = marks.left.drain();
            let keys = |(job, left): (String, HashMap<String, Left>)| {
                left.into_keys().map(move |key| (job.clone(), key))
            };
            changes.gone.extend(all.flat_map(keys));
        }
        for key in std::mem::take(&mut marks.marked) {
            let Some(planned) = self.schedule_mut(key) else { continue };
            planned.is_marked = false;
            changes.saved.push((planned.job, planned.identity.key(&planned.timing), planned.save(now)));
        }
        changes
    }

    /// The schedules of the source have been added.
    pub(crate) fn begun(&mut self) {
        if let Some(marks) = &mut self.marks {
            marks.begun = true;
        }
    }

    pub(super) fn mark(&mut self, key: ScheduleKey) {
        if self.marks.is_none() {
            return;
        }
        let Some(planned) = self.schedule_mut(key).filter(|planned| !planned.is_marked) else { return };
        planned.is_marked = true;
        if let Some(marks) = &mut self.marks {
            if marks.marked.is_empty() {
                marks.commits.call();
            }
            marks.marked.push(key);
        }
    }

    pub(super) fn mark_removed(&mut self, planned: &Planned) {
        if let Some(marks) = &mut self.marks {
            marks.removed.push((planned.job, planned.identity.key(&planned.timing)));
            marks.commits.call();
        }
    }

    /// What the process before has left of a schedule, once.
    pub(super) fn take_left(&mut self, planned: &Planned) -> Option<Left> {
        let Marks { left, names, .. } = self.marks.as_mut()?;
        left.get_mut(names.get(&planned.job)?)?.remove(&planned.key())
    }

    /// Where nothing is said, a store that outlives the process makes up for the last slot that was missed.
    pub(super) fn settle_missed(&self, schedule: &mut Resolved) {
        if (self.marks.is_some() || self.is_shared) && schedule.timing.schedule().is_some() {
            schedule.options.missed.get_or_insert(Missed::ONCE);
        }
    }
}
