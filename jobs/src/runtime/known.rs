//! The jobs of this program, as another process writes them down: by their names, with arguments as JSON.

use std::collections::HashMap;

use super::Jobs;
use crate::job::body::Body;
use crate::job::descriptor::Read;
use crate::registry::Registered;
use crate::store::memory::JobIx;
use crate::telemetry::panics;

/// The jobs that runs of another process may be of, by their names and aliases.
pub(super) struct Known(HashMap<String, KnownJob>);

#[derive(Clone, Copy)]
pub(super) struct KnownJob {
    pub(super) ix: JobIx,
    pub(super) read: Read,
    /// As it is called now.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a store on this machine renames"))]
    pub(super) name: &'static str,
}

impl Known {
    pub(super) fn new(jobs: &Jobs, registered: &[(JobIx, Registered)]) -> Self {
        let mut known = HashMap::new();
        for (ix, job) in registered {
            let descriptor = job.descriptor;
            for name in std::iter::once(&descriptor.name).chain(descriptor.aliases) {
                let job = KnownJob { ix: *ix, read: descriptor.read, name: descriptor.name };
                known.insert((*name).to_owned(), job);
            }
        }
        for by_hand in &jobs.inner.settings().registered {
            let by_hand = by_hand.value;
            if let Some(ix) = jobs.inner.pool.read(|memory| memory.job_named(by_hand.name)) {
                let name = by_hand.name;
                known.insert(name.to_owned(), KnownJob { ix, read: by_hand.read, name });
            }
        }
        Self(known)
    }

    pub(super) fn get(&self, name: &str) -> Option<KnownJob> {
        self.0.get(name).copied()
    }

    #[cfg(feature = "postgres")]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, KnownJob)> {
        self.0.iter().map(|(name, job)| (name.as_str(), *job))
    }
}

/// The work of a run that was written down.
pub(super) fn body(read: Read, arguments: Option<&str>) -> Result<Body, String> {
    let arguments = arguments.ok_or("its arguments could not be written as JSON when it was made")?;
    // It reads by code of the user.
    match panics::catch(|| read(arguments)) {
        Ok(Ok(value)) => Ok(value.into_body()),
        Ok(Err(error)) => Err(format!("its arguments are not those of the job as it is now: {error}")),
        Err(panic) => Err(format!("reading its arguments panicked: {}", panic.message)),
    }
}
