//! Who waits until something is written, and the recorder that is called for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::clock::{Call, Clock, Hold, Timestamp};

/// The number of a request: what was marked before it is written when this many are committed.
pub(crate) type Request = u64;

/// Between those who wait until something is written, and the recorder.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    state: Mutex<State>,
    /// Told of every commit and every failure.
    told: Notify,
    told_blocking: Condvar,
    /// Calls the recorder.
    called: Call,
    /// The clock that is held until it has come, where a test's is to be.
    held: OnceLock<Arc<Clock>>,
}

#[derive(Debug, Default)]
struct State {
    requested: Request,
    committed: Request,
    failing: Option<Failing>,
    /// How many attempts to write have failed one after another.
    failures: u32,
    /// Nothing is written any more.
    closed: bool,
}

/// Why nothing can be written for now.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    pub(crate) since: Timestamp,
    pub(crate) why: Arc<str>,
}

/// After so many failures one after another those who wait are told; before, it may have been a hiccup.
const PATIENCE: u32 = 4;

impl Commits {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the recorder: something is marked.
    pub(crate) fn call(&self) {
        self.called.call(self.held.get().map(|clock| &**clock));
    }

    /// Completes when the recorder is called.
    pub(crate) async fn called(&self) -> Hold {
        self.called.called().await
    }

    /// The recorder comes no more.
    #[cfg(feature = "postgres")]
    pub(crate) fn close_calls(&self) {
        self.called.close();
    }

    /// Holds a test's time from now on until the recorder has come. To be said before anything is marked.
    #[cfg(feature = "postgres")]
    pub(crate) fn hold(&self, clock: &Arc<Clock>) {
        let first = self.held.set(Arc::clone(clock)).is_ok();
        debug_assert!(first, "a recorder has one clock");
    }

    /// Wants written what has been marked.
    pub(crate) fn request(&self) -> Request {
        let mut state = self.lock();
        state.requested += 1;
        let request = state.requested;
        drop(state);
        self.call();
        request
    }

    /// Waits until a request is committed.
    pub(crate) async fn committed(&self, request: Request) -> Result<(), Arc<str>> {
        loop {
            let told = self.told.notified();
            let mut told = std::pin::pin!(told);
            told.as_mut().enable();
            if let Some(answer) = self.lock().answer(request) {
                return answer;
            }
            told.await;
        }
    }

    /// The same for code that is not async.
    pub(crate) fn committed_blocking(&self, request: Request) -> Result<(), Arc<str>> {
        let mut state = self.lock();
        loop {
            if let Some(answer) = state.answer(request) {
                return answer;
            }
            state = self.told_blocking.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What is requested by now, for the recorder, before it takes what is marked.
    pub(crate) fn requested(&self) -> Request {
        self.lock().requested
    }

    /// Everything up to a request is written.
    pub(crate) fn tell(&self, request: Request) {
        let mut state = self.lock();
        state.committed = state.committed.max(request);
        state.failing = None;
        state.failures = 0;
        drop(state);
        self.tell_all();
    }

    /// Nothing could be written; it is tried again.
    pub(crate) fn fail(&self, why: String, now: Timestamp) {
        let mut state = self.lock();
        state.failures += 1;
        let since = state.failing.as_ref().map_or(now, |failing| failing.since);
        state.failing = Some(Failing { since, why: why.into() });
        drop(state);
        self.tell_all();
    }

    /// Since when and why nothing can be written.
    pub(crate) fn failing(&self) -> Option<Failing> {
        self.lock().failing.clone()
    }

    /// Nothing is written any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.tell_all();
    }

    /// Completes when nothing is written any more.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn closed(&self) {
        loop {
            let mut told = std::pin::pin!(self.told.notified());
            told.as_mut().enable();
            if self.lock().closed {
                return;
            }
            told.await;
        }
    }

    fn tell_all(&self) {
        self.told.notify_waiters();
        self.told_blocking.notify_all();
    }
}

impl State {
    fn answer(&self, request: Request) -> Option<Result<(), Arc<str>>> {
        if self.committed >= request {
            return Some(Ok(()));
        }
        match &self.failing {
            Some(failing) if self.closed || self.failures >= PATIENCE => Some(Err(Arc::clone(&failing.why))),
            None if self.closed => Some(Err("the store was closed".into())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_of_the_commit_or_after_some_failures() {
        let commits = Commits::default();
        let (first, second) = (commits.request(), commits.request());
        assert_eq!(commits.requested(), second);
        commits.tell(first);
        assert!(commits.committed_blocking(first).is_ok());
        let now = Timestamp::from_nanos(7);
        for failures in 1..=PATIENCE {
            let answer = commits.lock().answer(second);
            assert!(answer.is_none(), "{failures}: {answer:?}");
            commits.fail("the disk is full".into(), Timestamp::from_nanos(6 + i64::from(failures)));
        }
        assert_eq!(commits.committed_blocking(second).unwrap_err().as_ref(), "the disk is full");
        assert_eq!(commits.failing().map(|failing| failing.since), Some(now));
        commits.tell(second);
        assert!(commits.committed_blocking(second).is_ok() && commits.failing().is_none());
        let third = commits.request();
        commits.close();
        assert!(commits.committed_blocking(third).is_err());
    }
}
