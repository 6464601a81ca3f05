//! What a test sees of an instance and does to it: the submissions that were made, and faults that are to come.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::body::Attempt;
use super::run::RunId;
use crate::clock::Timestamp;

/// What is to go wrong with an attempt of a job, for `TestJobs::inject`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The attempt returns an error with this message; the job is not called.
    Error(String),
    /// The attempt panics with this message; the job is not called.
    Panic(String),
    /// The attempt takes so much longer: the job is called when that has passed.
    Slow(Duration),
    /// The attempt never comes to its end by itself: a timeout, a cancellation or a shutdown ends it.
    Hang,
    /// The worker that makes the attempt dies, as by a fault of `jobs` itself. The run is tried again, and the attempt is not
    /// counted; the third time it is dead.
    WorkerDies,
}

impl Fault {
    /// [`Fault::Error`].
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error(message.into())
    }

    /// [`Fault::Panic`].
    pub fn panic(message: impl Into<String>) -> Self {
        Self::Panic(message.into())
    }
}

/// A submission as it was made.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub(crate) job: String,
    /// The arguments; null for a closure.
    pub(crate) args: serde_json::Value,
    pub(crate) id: RunId,
    pub(crate) submitted: Timestamp,
    pub(crate) due: Timestamp,
    /// It stands for a run that was there already.
    pub(crate) duplicate: bool,
}

/// What a test sees of an instance and does to it.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    noted: Mutex<Vec<Noted>>,
    /// What is submitted waits for the test to let it go.
    holds: AtomicBool,
    /// By the name of the job, one for each attempt to come.
    faults: Mutex<HashMap<String, VecDeque<Fault>>>,
}

impl Probe {
    pub(crate) fn note(&self, noted: Noted) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).push(noted);
    }

    /// Reads the submissions, the oldest first.
    pub(crate) fn noted<R>(&self, read: impl FnOnce(&mut Vec<Noted>) -> R) -> R {
        read(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }

    pub(crate) fn hold(&self, hold: bool) {
        self.holds.store(hold, Ordering::Relaxed);
    }

    pub(crate) fn inject(&self, job: &str, fault: Fault) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.entry(job.to_owned()).or_default().push_back(fault);
    }

    /// Takes the fault of the next attempt of a job.
    pub(crate) fn fault_of(&self, job: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.get_mut(job)?.pop_front()
    }
}

impl Fault {
    /// The attempt with the fault in it.
    ///
    /// # Panics
    ///
    /// When it is the worker that is to die.
    pub(crate) fn strike(self, attempt: Attempt) -> Attempt {
        match self {
            Self::Error(message) => Box::pin(async move { Err(message.into()) }),
            Self::Panic(message) => Box::pin(async move { panic!("{message}") }),
            Self::Slow(by) => Box::pin(async move {
                tokio::time::sleep(by).await;
                attempt.await
            }),
            Self::Hang => Box::pin(async move {
                // Held, so that it is dropped where a real one would be.
                let _attempt = attempt;
                std::future::pending().await
            }),
            Self::WorkerDies => panic!("a test has killed the worker"),
        }
    }
}
