//! The end: nothing is accepted, what runs is waited for or stopped, and what is left is counted.

use std::task::Waker;

use super::Pool;
use super::workers::Told;
use crate::job::run::Outcome;
use crate::job::signals::Cancellation;

impl Pool {
    /// Accepts and claims nothing any more. What runs goes on.
    pub(crate) fn close(&self) {
        // First, so that nothing arrives after what is taken in here.
        self.inbox().closed = true;
        let mut shared = self.lock();
        shared.closed = true;
        let parked = shared.workers.unpark_all();
        drop(shared);
        parked.into_iter().for_each(Waker::wake);
        self.drained.notify_waiters();
    }

    /// Completes when nothing runs any more, or nothing but plain functions, and of every failure was told.
    pub(crate) async fn drained(&self, but_blocking: bool) {
        loop {
            let notified = self.drained.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            if !self.lock().workers.is_busy(but_blocking) {
                return;
            }
            notified.await;
        }
    }

    /// Stops every async run where it awaits and answers how many; plain functions are asked to return. To be followed
    /// by [`drained`](Self::drained).
    pub(crate) fn interrupt(&self) -> usize {
        let now = self.clock.now().wall;
        let (count, told) = self.lock().workers.stop_all(Cancellation::Interrupted, now);
        told.into_iter().for_each(Told::wake);
        count
    }

    /// How many workers execute a run; with `but_blocking`, not counting plain functions.
    pub(crate) fn executing(&self, but_blocking: bool) -> usize {
        self.lock().workers.executing(but_blocking)
    }

    /// How many workers execute a plain function that has begun.
    pub(crate) fn executing_for_good(&self) -> usize {
        let shared = self.lock();
        shared.workers.executing(false) - shared.workers.executing(true)
    }

    /// Ends every run that does not execute, and answers how many are lost and how many a store keeps.
    pub(crate) fn drain(&self) -> (usize, usize) {
        let now = self.clock.now().wall;
        let ended = {
            let mut shared = self.lock();
            shared.drained = true;
            shared.memory.drain(now)
        };
        let lost = ended.iter().filter(|ended| ended.outcome == Outcome::Lost).count();
        let kept = ended.len() - lost;
        ended.into_iter().for_each(|ended| self.settle(ended));
        (lost, kept)
    }
}
