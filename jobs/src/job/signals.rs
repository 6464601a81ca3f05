//! What an attempt is told while it runs: that nobody wants it any more, and why.
//!
//! A worker has one of these for all of its attempts, one after another. Each attempt is a *turn*, whose number stands
//! beside the bits of what it was told: a context that outlives its attempt cannot take a word for the next one as its own,
//! and finds that its turn is over.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::desk::{Desk, Laid};
use super::steer::Steering;
use crate::JobResult;
use crate::telemetry::panics::{self, Panic};

const CANCEL: u64 = 1;
const INTERRUPT: u64 = 2;
const TIME_OUT: u64 = 4;
/// Somebody waits to be told.
const WAITED: u64 = 8;
/// Something lies on the desk.
const LAID: u64 = 16;
/// A plain function has the thread that it runs on.
const BEGUN: u64 = 32;
const TURN: u64 = 64;

/// Why an attempt is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancellation {
    /// Somebody wanted it to.
    Cancelled,
    /// The program is shutting down.
    Interrupted,
    /// Its time is up.
    TimedOut,
}

impl Cancellation {
    fn bit(self) -> u64 {
        match self {
            Self::Cancelled => CANCEL,
            Self::Interrupted => INTERRUPT,
            Self::TimedOut => TIME_OUT,
        }
    }
}

/// What the attempts of one worker are told.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// The number of the turn, above the bits.
    word: AtomicU64,
    /// Made when somebody first waits.
    told: OnceLock<Box<Notify>>,
    /// What the attempt says in return.
    pub(crate) steering: Steering,
    /// What it lays out for others to read.
    desk: Desk,
    /// What a plain function has come to, or who is told of it.
    returned: Mutex<Option<Returned>>,
}

/// What a plain function has come to: its panic is caught.
pub(crate) type Returning = Result<JobResult, Box<Panic>>;

/// Is told what a plain function has come to, on its thread.
pub(crate) type Heir = Box<dyn FnOnce(Returning) + Send>;

enum Returned {
    /// The worker has not taken it yet.
    With(Returning),
    /// The worker has gone.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "of what several processes share alone"))]
    To(Heir),
}

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if let Self::With(_) = self { "With" } else { "To" })
    }
}

/// What becomes of a plain function whose worker goes.
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub(crate) enum Left {
    /// It was not called, and is not any more.
    NotCalled,
    GoesOn,
    Returned(Returning),
}

/// One turn of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(u64);

impl Signals {
    /// The turn that it is.
    pub(crate) fn turn(&self) -> Turn {
        Turn(self.word.load(Ordering::Acquire) / TURN)
    }

    /// Tells the attempt to stop. Answers whether [`tell`](Self::tell) is to be called.
    #[must_use]
    pub(crate) fn stop(&self, why: Cancellation) -> bool {
        self.word.fetch_or(why.bit(), Ordering::AcqRel) & WAITED != 0
    }

    /// The attempt is over, and the turn of the next has come. Only its worker says so. Answers whether
    /// [`tell`](Self::tell) is to be called.
    #[must_use]
    pub(crate) fn end_turn(&self) -> bool {
        let Turn(turn) = self.turn();
        self.word.swap(turn.wrapping_add(1).wrapping_mul(TURN), Ordering::AcqRel) & WAITED != 0
    }

    /// Lays something out for others to read, if the turn is still the attempt's.
    pub(crate) fn lay(&self, turn: Turn, f: impl FnOnce(&mut Laid)) {
        if self.turn() == turn {
            self.desk.lay(turn, f);
            self.word.fetch_or(LAID, Ordering::AcqRel);
        }
    }

    /// Reads or takes what the attempt whose turn it is has laid out; none where it has laid out nothing.
    pub(crate) fn laid<R>(&self, f: impl FnOnce(&mut Laid) -> R) -> Option<R> {
        let word = self.word.load(Ordering::Acquire);
        (word & LAID != 0).then(|| self.desk.look(Turn(word / TURN), f))
    }

    #[cfg(test)]
    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Wakes those who wait. It calls wakers, so not under a lock.
    pub(crate) fn tell(&self) {
        if let Some(told) = self.told.get() {
            told.notify_waiters();
        }
    }

    /// Why the attempt whose turn it is has to stop, if it has: cancelled or interrupted.
    pub(crate) fn cancellation(&self) -> Option<Cancellation> {
        let word = self.word.load(Ordering::Acquire);
        if word & CANCEL != 0 {
            Some(Cancellation::Cancelled)
        } else if word & INTERRUPT != 0 {
            Some(Cancellation::Interrupted)
        } else {
            None
        }
    }

    /// A plain function has a thread and is about to be called. Answers whether it is to be: not when its attempt was told to
    /// stop while it waited for the thread, or is over.
    pub(crate) fn begin(&self, turn: Turn) -> bool {
        let begin = |word| (!stopped(word, turn)).then_some(word | BEGUN);
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, begin).is_ok()
    }

    /// Whether the attempt whose turn it is is a plain function that was called. Asked after the attempt was told to stop, the
    /// answer is for good.
    pub(crate) fn has_begun(&self) -> bool {
        self.word.load(Ordering::Acquire) & BEGUN != 0
    }

    /// The plain function of a turn has returned. Answers what is to be done with what it has come to, where the worker does not
    /// wait for it.
    pub(crate) fn returned(&self, turn: Turn, with: Returning) -> Option<(Heir, Returning)> {
        let mut returned = self.what_returned();
        match returned.take() {
            Some(Returned::To(heir)) => Some((heir, with)),
            // It has outlived its turn, and nobody wants it.
            before if self.turn() != turn => {
                *returned = before;
                drop(returned);
                let _ = panics::catch(|| drop(with));
                None
            }
            _ => {
                *returned = Some(Returned::With(with));
                None
            }
        }
    }

    /// Takes what the plain function whose turn it is has come to.
    pub(crate) fn take_returned(&self) -> Option<Returning> {
        match self.what_returned().take()? {
            Returned::With(with) => Some(with),
            Returned::To(_) => None,
        }
    }

    /// The worker goes, and leaves the plain function that it has called to another, who is told what it comes to. It is told to stop;
    /// [`tell`](Self::tell) is to be called.
    #[cfg(feature = "postgres")]
    pub(crate) fn leave_to(&self, heir: impl FnOnce() -> Heir) -> Left {
        // After it, nothing begins.
        if self.word.fetch_or(INTERRUPT, Ordering::AcqRel) & BEGUN == 0 {
            return Left::NotCalled;
        }
        let mut returned = self.what_returned();
        if let Some(Returned::With(with)) = returned.take() {
            return Left::Returned(with);
        }
        *returned = Some(Returned::To(heir()));
        Left::GoesOn
    }

    fn what_returned(&self) -> MutexGuard<'_, Option<Returned>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an attempt was told to stop, or is over.
    pub(crate) fn is_stopped(&self, turn: Turn) -> bool {
        stopped(self.word.load(Ordering::Acquire), turn)
    }

    /// Completes when an attempt is told to stop, or is over.
    pub(crate) async fn stopped(&self, turn: Turn) {
        let told = self.told.get_or_init(Box::default);
        loop {
            let mut notified = std::pin::pin!(told.notified());
            notified.as_mut().enable();
            // Either this comes first, and whoever stops the attempt sees that somebody waits, or that does.
            if stopped(self.word.fetch_or(WAITED, Ordering::AcqRel), turn) {
                return;
            }
            notified.await;
        }
    }
}

fn stopped(word: u64, Turn(turn): Turn) -> bool {
    word & (CANCEL | INTERRUPT | TIME_OUT) != 0 || word / TURN != turn
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;

    use super::*;

    #[test]
    fn a_word_is_for_one_turn() {
        let signals = Signals::default();
        let first = signals.turn();
        assert!(!signals.is_stopped(first));
        assert!(!signals.stop(Cancellation::Interrupted));
        assert_eq!(signals.cancellation(), Some(Cancellation::Interrupted));
        assert!(!signals.stop(Cancellation::Cancelled));
        assert_eq!(signals.cancellation(), Some(Cancellation::Cancelled), "the stronger");
        assert!(!signals.end_turn());
        let second = signals.turn();
        assert_ne!(first, second);
        assert_eq!(signals.cancellation(), None);
        assert!(signals.is_stopped(first) && !signals.is_stopped(second));
        assert!(!signals.stop(Cancellation::TimedOut));
        assert!(signals.is_stopped(second));
        assert_eq!(signals.cancellation(), None, "a plain function goes on");
    }

    #[test]
    fn a_plain_function_begins_or_is_stopped_and_never_both() {
        let signals = Signals::default();
        for why in [Cancellation::Cancelled, Cancellation::Interrupted, Cancellation::TimedOut] {
            let turn = signals.turn();
            let _ = signals.stop(why);
            assert!(!signals.begin(turn) && !signals.has_begun(), "{why:?}");
            let _ = signals.end_turn();
            assert!(!signals.begin(turn), "its turn is over");
            assert!(!signals.has_begun(), "nor has the next one begun");
            assert!(signals.begin(signals.turn()) && signals.has_begun());
            let _ = signals.end_turn();
        }
    }

    #[test]
    fn what_a_plain_function_comes_to_is_for_its_turn() {
        let signals = Signals::default();
        let (turn, failed) = (signals.turn(), || Ok(Err("no".into())));
        assert!(signals.begin(turn) && signals.returned(turn, failed()).is_none());
        assert!(signals.take_returned().is_some_and(|with| with.unwrap().is_err()));
        let _ = signals.end_turn();
        assert!(signals.returned(turn, failed()).is_none() && signals.take_returned().is_none());
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_plain_function_whose_worker_goes_is_left_to_another() {
        let signals = Signals::default();
        let unwanted = || -> Heir { unreachable!("nothing goes on") };
        let turn = signals.turn();
        assert!(matches!(signals.leave_to(unwanted), Left::NotCalled));
        assert!(!signals.begin(turn), "it is not called any more");
        let _ = signals.end_turn();
        let turn = signals.turn();
        assert!(signals.begin(turn) && signals.returned(turn, Ok(Ok(()))).is_none());
        assert!(matches!(signals.leave_to(unwanted), Left::Returned(Ok(Ok(())))));
        let _ = signals.end_turn();
        let turn = signals.turn();
        assert!(signals.begin(turn));
        assert!(matches!(signals.leave_to(|| Box::new(|with| drop(with))), Left::GoesOn));
        assert!(signals.is_stopped(turn), "it is told");
        let (heir, with) = signals.returned(turn, Ok(Ok(()))).expect("its worker has gone");
        heir(with);
    }

    #[tokio::test]
    async fn who_waits_is_told_of_the_stop_and_of_the_end() {
        for stops in [true, false] {
            let signals = Arc::new(Signals::default());
            let mut waiting = Box::pin(signals.stopped(signals.turn()));
            let still = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
            assert!(still);
            assert!(if stops { signals.stop(Cancellation::Cancelled) } else { signals.end_turn() });
            signals.tell();
            waiting.await;
        }
    }

    #[tokio::test]
    async fn who_comes_late_does_not_wait() {
        let signals = Signals::default();
        let turn = signals.turn();
        let _ = signals.stop(Cancellation::TimedOut);
        signals.stopped(turn).await;
        let _ = signals.end_turn();
        signals.stopped(turn).await;
    }
}
