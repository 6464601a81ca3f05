//! Which instance the free functions mean.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::error::SubmitError;
use super::{Inner, Jobs};
use crate::job::ambient::{self, Host};

/// Every instance from its start to the end of its shutdown. It keeps them alive: dropping a handle stops nothing.
static LIVE: Mutex<Vec<Jobs>> = Mutex::new(Vec::new());

fn with_live<R>(f: impl FnOnce(&mut Vec<Jobs>) -> R) -> R {
    f(&mut LIVE.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(super) fn register(jobs: &Jobs) {
    with_live(|live| live.push(jobs.clone()));
}

pub(super) fn unregister(jobs: &Jobs) {
    let removed = with_live(|live| {
        let position = live.iter().position(|other| other.is_same(jobs))?;
        Some(live.swap_remove(position))
    });
    drop(removed);
}

/// The instance that the calling code belongs to, or else the only one there is.
pub(super) fn current() -> Result<Jobs, SubmitError> {
    if let Some(host) = ambient::current() {
        // One that is gone has ended before.
        let inner = host.upgrade().and_then(|host| host.downcast::<Inner>().ok());
        return inner.map(|inner| Jobs { inner }).ok_or_else(SubmitError::shut_down);
    }
    with_live(|live| match live.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(SubmitError::not_started()),
        several => Err(SubmitError::several(several.len())),
    })
}

impl Jobs {
    pub(super) fn host(&self) -> Host {
        let inner: Weak<Inner> = Arc::downgrade(&self.inner);
        inner
    }

    /// Runs a future in which the free functions ([`jobs::now`](crate::now) and the like) mean this instance.
    ///
    /// Code inside a job needs no such thing: it belongs to the instance that runs it. This is for programs and
    /// tests with several instances at once. A task that the future spawns is outside.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        ambient::scope(self.host(), future).await
    }
}
