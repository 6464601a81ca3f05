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
    left: HashMap<(JobIx, String), Left>,
    /// The schedules of the source have been added.
    begun: bool,
    commits: Arc<Commits>,
}

/// Schedules that have changed.
#[derive(Debug, Default)]
pub(crate) struct ScheduleChanges {
    pub(crate) saved: Vec<(JobIx, String, Saved)>,
    pub(crate) removed: Vec<(JobIx, String)>,
}

impl Timers {
    /// Marks what changes from now on, and goes on with what the process before has left of the schedules that are added.
    pub(crate) fn record_to(&mut self, commits: Arc<Commits>, left: HashMap<(JobIx, String), Left>) {
        self.marks = Some(Marks { marked: Vec::new(), removed: Vec::new(), left, begun: false, commits });
    }

    /// Everything that was marked.
    pub(crate) fn take_changes(&mut self, now: Reading) -> ScheduleChanges {
        let mut changes = ScheduleChanges::default();
        let closed = self.is_closed();
        let Some(marks) = &mut self.marks else { return changes };
        changes.removed = std::mem::take(&mut marks.removed);
        if closed && marks.begun {
            // What nobody has added in the whole life of the process has gone from the program.
            changes.removed.extend(marks.left.drain().map(|(of, _)| of));
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
        let marks = self.marks.as_mut().filter(|marks| !marks.left.is_empty())?;
        marks.left.remove(&(planned.job, planned.identity.key(&planned.timing)))
    }

    /// Where nothing is said, a store that outlives the process makes up for the last slot that was missed.
    pub(super) fn settle_missed(&self, schedule: &mut Resolved) {
        if self.marks.is_some() && schedule.timing.schedule().is_some() {
            schedule.options.missed.get_or_insert(Missed::ONCE);
        }
    }
}
