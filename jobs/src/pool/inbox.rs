//! Where submissions arrive: behind a lock of its own, so that those who submit and the workers do not wait for each
//! other.
//!
//! A submission needs nothing of what the workers change: it finds its job, takes a key out of a supply, and lies
//! here until somebody takes in what has arrived. A worker does when it finds nothing else to claim; everybody
//! else who looks at the runs does first of all, so that no run is ever seen to be missing.
//!
//! Nobody who holds this lock takes another.

use std::any::TypeId;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use jobs_syntax::DEFAULT_QUEUE;

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
    pub(super) keys: VecDeque<RunKey>,
    pub(super) directory: Directory,
    /// No run is accepted any more.
    pub(super) closed: bool,
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
}
