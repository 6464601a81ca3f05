//! Waiting for a lock that is held for a tenth of a microsecond.

use std::hint::spin_loop;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::Shared;
use crate::hooks::bus::Bus;

/// How often the lock is tried before the thread sleeps: a few microseconds in all, many times what it is held for.
const TRIES: u32 = 48;

/// The lock of the pool. When it is let go, those are woken who listen to what was told under it.
pub(super) struct Locked<'a> {
    // In this order they are dropped.
    shared: MutexGuard<'a, Shared>,
    _waking: Waking<'a>,
}

struct Waking<'a>(&'a Bus);

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl<'a> Locked<'a> {
    pub(super) fn new(shared: MutexGuard<'a, Shared>, bus: &'a Bus) -> Self {
        Self { shared, _waking: Waking(bus) }
    }
}

impl Deref for Locked<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shared {
        &mut self.shared
    }
}

/// What one thread writes all the time, kept apart from what another does: processors pass memory on in lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Apart<T>(pub(super) T);

/// Takes a lock under which nobody calls code of the user, so that a panic of ours has not left it half written.
///
/// A mutex of the standard library that has once put a thread to sleep lets no other spin as long as somebody sleeps, so
/// that two threads which take it for short times put each other to sleep again and again. This one tries for a while
/// whatever others do, and sleeps only when the holder has lost its processor.
pub(super) fn take<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    for tried in 0..TRIES {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            // Every try takes the line of the lock away from its holder, so they become rarer.
            Err(TryLockError::WouldBlock) => (0..4 << tried.min(4)).for_each(|_| spin_loop()),
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
