//! Where submissions arrive: behind a lock of its own, so that those who submit and the workers do not wait for each
//! other.
//!
//! A submission needs nothing of what the workers change: it finds its job, takes a key out of a supply, and lies
//! here until somebody takes in what has arrived. A worker does when it finds nothing else to claim; everybody
//! else who looks at the runs does first of all, so that no run is ever seen to be missing.
//!
//! Nobody who holds this lock takes another.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use jobs_syntax::DEFAULT_QUEUE;

use crate::clock::Timestamp;
use crate::job::name::JobName;
use crate::job::options::Limits;
use crate::store::memory::{Arrival, JobIx, RunKey, RunOptions};

/// How many keys are held ready for submissions.
pub(super) const SUPPLY: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// What was submitted since somebody last took it in, in the order of submission.
    pub(super) arrivals: Vec<Arrival>,
    /// Keys that submissions take.
    pub(super) keys: Vec<RunKey>,
    pub(super) directory: Directory,
    pub(super) rush: Rush,
    /// No run is accepted any more.
    pub(super) closed: bool,
}

/// Whether very many submissions come, as from a loop.
///
/// To call a worker for each of them puts a thread of the runtime to sleep and wakes it for every few runs, over and over:
/// it is faster than who submits, for that one pays for waking it. In a rush a worker is called for many at a time, and calls
/// others itself if they are still many when it comes.
#[derive(Debug)]
pub(super) struct Rush {
    /// When the count was begun.
    began: Timestamp,
    count: u32,
    /// What was counted in the millisecond before.
    before: u32,
}

impl Rush {
    /// A millisecond, in nanoseconds.
    const SPAN: i64 = 1_000_000;

    /// More than so many within a millisecond are one.
    const MANY: u32 = 100;

    /// A submission comes: is it one of a rush?
    pub(super) fn comes(&mut self, now: Timestamp) -> bool {
        let since = now.as_nanos().wrapping_sub(self.began.as_nanos());
        if !(0..Self::SPAN).contains(&since) {
            self.before = if (0..2 * Self::SPAN).contains(&since) { self.count } else { 0 };
            (self.began, self.count) = (now, 0);
        }
        self.count += 1;
        self.count.max(self.before) > Self::MANY
    }
}

impl Default for Rush {
    fn default() -> Self {
        Self { began: Timestamp::from_nanos(0), count: 0, before: 0 }
    }
}

/// What a submission finds its job by.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    types: HashMap<TypeId, JobIx, BuildHasherDefault<TypeIdHasher>>,
    funcs: HashMap<JobName, JobIx>,
    /// Jobs whose runs wait elsewhere than in the lane where nothing is said.
    special: HashSet<JobIx>,
    /// Those of which submissions are compared.
    unique: HashSet<JobIx>,
}

impl Directory {
    /// Makes a type known as the one behind a job.
    pub(super) fn add_type(&mut self, type_id: TypeId, job: JobIx) {
        self.types.insert(type_id, job);
    }

    /// Makes a job known that is a closure.
    pub(super) fn add_func(&mut self, name: JobName, job: JobIx) {
        self.funcs.insert(name, job);
    }

    /// What a submission of the job has to know of its limits. What was said before may not hold any more, and costs it a
    /// look.
    pub(super) fn set_limits(&mut self, job: JobIx, limits: &Limits) {
        if limits.queue != DEFAULT_QUEUE || limits.priority != 0 {
            self.special.insert(job);
        }
        if limits.unique.is_some() {
            self.unique.insert(job);
        }
    }

    /// Whether submissions of it are compared.
    pub(crate) fn is_unique(&self, job: JobIx) -> bool {
        !self.unique.is_empty() && self.unique.contains(&job)
    }

    /// Whether a run waits in the lane where nothing is said.
    pub(super) fn is_plain(&self, job: JobIx, options: &RunOptions) -> bool {
        options.queue.is_none()
            && options.priority.is_none()
            && (self.special.is_empty() || !self.special.contains(&job))
    }

    pub(crate) fn of_type(&self, type_id: TypeId) -> Option<JobIx> {
        self.types.get(&type_id).copied()
    }

    pub(crate) fn of_func(&self, name: &str) -> Option<JobIx> {
        self.funcs.get(name).copied()
    }
}

/// A [`TypeId`] is a hash already.
#[derive(Debug, Default)]
struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 ^= value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::info::JobInfo;
    use crate::job::options::AttemptOptions;
    use crate::store::memory::Memory;

    #[test]
    fn a_job_is_found_by_its_type_or_as_a_closure_by_its_name() {
        let info = JobInfo {
            name: JobName::Static("a"),
            descriptor: None,
            overlap: jobs_syntax::Overlap::default(),
            attempts: AttemptOptions::DEFAULT,
            limits: Limits::DEFAULT,
            enabled: true,
            is_func: true,
        };
        let job = Memory::new(0).bind_job(info).unwrap();
        let mut directory = Directory::default();
        directory.add_type(TypeId::of::<u8>(), job);
        directory.add_func(JobName::Static("a"), job);
        let types = [TypeId::of::<u8>(), TypeId::of::<u16>()].map(|of| directory.of_type(of));
        assert_eq!(
            (types, ["a", "b"].map(|of| directory.of_func(of))),
            ([Some(job), None], [Some(job), None])
        );
    }

    #[test]
    fn more_than_a_hundred_within_a_millisecond_are_a_rush_until_the_next_has_passed() {
        let at = |micros: i64| Timestamp::from_nanos(1_700_000_000_000_000_000 + micros * 1000);
        let mut rush = Rush::default();
        let few: Vec<_> = (0..100).map(|n| rush.comes(at(n))).collect();
        assert!(few.iter().all(|in_rush| !in_rush));
        assert!(rush.comes(at(100)));
        assert!(rush.comes(at(1500)), "so many in the millisecond before");
        assert!(!rush.comes(at(3600)));
        let slow = (0..1000).any(|n| rush.comes(at(5000 + n * 11)));
        assert!(!slow, "ninety in a millisecond are none");
        assert!((0..101).map(|_| rush.comes(at(-5000))).last() == Some(true), "after the clock was set back");
    }
}
