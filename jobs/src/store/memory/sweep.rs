//! Runs that have ended are forgotten when they are too old, also where no other run of their job ends.
//!
//! Every end forgets what its job has too much of (`ending.rs`). For jobs of which nothing ends any more, somebody comes by:
//! the task of the scheduler, which sleeps until [`next_sweep`](Memory::next_sweep) at most. What it looks at is a heap of
//! jobs, not of runs: a job is in it from its second kept run on, by an end from which on its first has at least to be
//! kept. So an end costs nothing here but the look whether its job is in.

use std::cmp::Reverse;
use std::time::Duration;

use super::history::Ring;
use super::{JobIx, Litter, Memory};
use crate::clock::Timestamp;

/// So many jobs are looked at under one lock.
const AT_A_TIME: usize = 64;

impl Memory {
    /// When the next run becomes too old, as far as is known: not before that, unless the retention is shortened.
    pub(crate) fn next_sweep(&self) -> Option<Timestamp> {
        // It is too old when more than its time has passed.
        let after = self.retention.age.saturating_add(Duration::from_millis(1));
        self.aging.peek().map(|Reverse((end, _))| end.saturating_add(after))
    }

    /// How long a run is kept after its end.
    pub(crate) fn longest_kept(&self) -> Duration {
        self.retention.age
    }

    /// Forgets runs that are not to be kept any more, of some jobs. Answers whether there may be others.
    pub(crate) fn sweep(&mut self, now: Timestamp, litter: &mut Litter) -> bool {
        for _ in 0..AT_A_TIME {
            let due = |Reverse((end, _)): &Reverse<(Timestamp, JobIx)>| {
                *end == Timestamp::MIN || now.since(*end) > self.retention.age
            };
            if !self.aging.peek().is_some_and(due) {
                return false;
            }
            let Some(Reverse((_, ix))) = self.aging.pop() else { return false };
            self.forget(ix, now, litter);
            let crowded = self.text > super::history::TEXT_OF_ALL;
            let Some(ring) = &mut self.jobs[ix.0 as usize].ended else { continue };
            ring.watched = false;
            if ring.outdated(&self.retention, crowded, now).is_some() {
                // It is the first to be looked at again.
                ring.watched = true;
                self.aging.push(Reverse((Timestamp::MIN, ix)));
            } else {
                self.watch_age(ix);
            }
        }
        true
    }

    /// Has the age of the first kept run of a job looked at, where it is not the only one: that is kept for ever.
    #[inline]
    pub(super) fn watch_age(&mut self, ix: JobIx) {
        let Some(ring) = &mut self.jobs[ix.0 as usize].ended else { return };
        if let Some(first) = ring.watch_first() {
            self.aging.push(Reverse((first, ix)));
        }
    }

    /// Another retention holds.
    pub(super) fn look_at_all(&mut self) {
        let rings = self.jobs.iter_mut().enumerate().filter_map(|(at, job)| Some((at, job.ended.as_mut()?)));
        let several = rings.filter(|(_, ring)| ring.keys().nth(1).is_some());
        let all = several.map(|(at, ring): (usize, &mut Box<Ring>)| {
            ring.watched = true;
            Reverse((Timestamp::MIN, JobIx(at as u32)))
        });
        self.aging = all.collect();
    }
}
