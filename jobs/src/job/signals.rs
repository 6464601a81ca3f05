//! What an attempt is told while it runs: that nobody wants it any more, and why.
//!
//! A worker has one of these for all of its attempts, one after another. Each attempt is a *turn*, whose number stands
//! beside the bits of what it was told: a context that outlives its attempt cannot take a word for the next one as its own,
//! and finds that its turn is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::call::Call;
#[cfg(feature = "postgres")]
use super::call::{Heir, Left};
use super::desk::{Desk, Laid};
use super::steer::Steering;
use crate::telemetry::panics;

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
    /// The plain function that was called last, and in which turn.
    called: Mutex<Option<(Turn, Arc<Call>)>>,
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
    pub(crate) fn begin(&self, turn: Turn, call: &Arc<Call>) -> bool {
        let begin = |word| (!stopped(word, turn)).then_some(word | BEGUN);
        let mut called = self.called();
        // Whoever sees that it has begun waits for the lock.
        let begins = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, begin).is_ok();
        let before = if begins { called.replace((turn, Arc::clone(call))) } else { None };
        drop(called);
        // One whose attempt was cut off may have come to something since, which is the user's.
        let _ = panics::catch(|| drop(before));
        begins
    }

    /// Whether the attempt whose turn it is is a plain function that was called. Asked after the attempt was told to stop, the
    /// answer is for good.
    pub(crate) fn has_begun(&self) -> bool {
        self.word.load(Ordering::Acquire) & BEGUN != 0
    }

    /// There is no next turn. What a function may come to that has outlived its turn is not for whoever drops this.
    pub(crate) fn forget_called(&self) {
        let called = self.called().take();
        let _ = panics::catch(|| drop(called));
    }

    /// The worker goes, and leaves the plain function that it has called to another, who is told what it comes to. It is told to stop;
    /// [`tell`](Self::tell) is to be called.
    #[cfg(feature = "postgres")]
    pub(crate) fn leave_to(&self, heir: impl FnOnce() -> Heir) -> Left {
        // After it, nothing begins.
        if self.word.fetch_or(INTERRUPT, Ordering::AcqRel) & BEGUN == 0 {
            return Left::Nothing;
        }
        let turn = self.turn();
        let call = self.called().as_ref().filter(|(of, _)| *of == turn).map(|(_, call)| Arc::clone(call));
        call.map_or(Left::Nothing, |call| call.leave_to(heir))
    }

    /// Whether the time of the attempt is up whose turn it is.
    #[cfg(feature = "postgres")]
    pub(crate) fn has_timed_out(&self) -> bool {
        self.word.load(Ordering::Acquire) & TIME_OUT != 0
    }

    fn called(&self) -> MutexGuard<'_, Option<(Turn, Arc<Call>)>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (signals, call) = (Signals::default(), Arc::default());
        for why in [Cancellation::Cancelled, Cancellation::Interrupted, Cancellation::TimedOut] {
            let turn = signals.turn();
            let _ = signals.stop(why);
            assert!(!signals.begin(turn, &call) && !signals.has_begun(), "{why:?}");
            let _ = signals.end_turn();
            assert!(!signals.begin(turn, &call), "its turn is over");
            assert!(!signals.has_begun(), "nor has the next one begun");
            assert!(signals.begin(signals.turn(), &call) && signals.has_begun());
            let _ = signals.end_turn();
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_plain_function_whose_worker_goes_is_left_to_another() {
        let signals = Signals::default();
        let unwanted = || -> Heir { unreachable!("nothing goes on") };
        let call = Arc::<Call>::default();
        let turn = signals.turn();
        assert!(matches!(signals.leave_to(unwanted), Left::Nothing));
        assert!(!signals.begin(turn, &call), "it is not called any more");
        let _ = signals.end_turn();
        // It has returned, and nobody has taken what it came to, or somebody has.
        for taken in [false, true] {
            let (turn, call) = (signals.turn(), Arc::<Call>::default());
            assert!(signals.begin(turn, &call) && call.returned(Ok(Ok(()))).is_none());
            assert_eq!(taken && call.take().is_some(), taken);
            match signals.leave_to(unwanted) {
                Left::Returned(Ok(Ok(()))) => assert!(!taken),
                left => assert!(taken && matches!(left, Left::Nothing), "{left:?}"),
            }
            let _ = signals.end_turn();
        }
        let turn = signals.turn();
        assert!(signals.begin(turn, &call));
        assert!(matches!(signals.leave_to(|| Box::new(drop)), Left::GoesOn));
        assert!(signals.is_stopped(turn), "it is told");
        let (heir, with) = call.returned(Ok(Ok(()))).expect("its worker has gone");
        heir(with);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_function_that_outlives_its_turn_is_not_taken_for_that_of_the_next() {
        let signals = Signals::default();
        let (first, second) = (Arc::<Call>::default(), Arc::<Call>::default());
        assert!(signals.begin(signals.turn(), &first));
        let _ = signals.end_turn();
        assert!(signals.begin(signals.turn(), &second));
        assert!(matches!(signals.leave_to(|| Box::new(drop)), Left::GoesOn));
        assert!(first.returned(Ok(Ok(()))).is_none());
        assert!(second.returned(Ok(Ok(()))).is_some());
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
