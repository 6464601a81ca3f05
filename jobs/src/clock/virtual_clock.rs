//! The clock of a test: tokio's paused time, and a clock on the wall that can be set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Timestamp, monotonic_now};

/// What [`TestClock::advance`] goes beyond its goal, so that whatever is due at the goal has been done.
const SETTLE: Duration = Duration::from_millis(1);

/// The clock of a test, for [`Config::clock`](crate::Config::clock).
#[derive(Debug, Clone)]
pub struct TestClock {
    clock: Arc<VirtualClock>,
}

impl TestClock {
    /// A clock that shows this instant now, and goes on with tokio's time.
    #[must_use]
    pub fn at(start: DateTime<Utc>) -> Self {
        Self { clock: Arc::new(VirtualClock::new(Timestamp::from_chrono(start))) }
    }

    /// The seed of what is random in the instances on this clock. Default: 0.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.clock.seed.store(seed, Ordering::SeqCst);
        self
    }

    pub(crate) fn shared(&self) -> Arc<VirtualClock> {
        Arc::clone(&self.clock)
    }

    /// What the clock on the wall shows.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now().to_chrono()
    }

    /// Lets time pass, from one event to the next, and returns when everything that came due has been done, but
    /// for jobs that wait for something else. It ends one millisecond after its goal.
    pub async fn advance(&self, by: Duration) {
        tokio::time::sleep(by + SETTLE).await;
    }

    /// Lets time pass until the clock on the wall shows this instant, like [`advance`](Self::advance). Where it has
    /// passed, what is due now is done.
    pub async fn advance_to(&self, instant: DateTime<Utc>) {
        self.advance((instant - self.now()).to_std().unwrap_or_default()).await;
    }

    /// Lets time stand still until a future completes that waits for something outside of the test, as a query to a server. tokio
    /// takes such a wait for idleness, and would let time pass to the next event.
    pub async fn still<T>(&self, future: impl Future<Output = T>) -> T {
        self.clock.stillness.enter();
        let _held = self.clock.stillness.hold();
        future.await
    }

    /// Sets the clock on the wall forward or back, as an administrator or a time daemon does. No time passes for
    /// intervals and delays.
    pub async fn step(&self, by: TimeDelta) {
        self.clock.step(by.num_nanoseconds().unwrap_or(if by < TimeDelta::zero() {
            i64::MIN
        } else {
            i64::MAX
        }));
        tokio::time::sleep(SETTLE).await;
    }

    /// Lets time pass while the machine sleeps: the clock on the wall goes on and nothing runs.
    pub async fn suspend(&self, by: Duration) {
        self.clock.suspend(by);
        tokio::time::sleep(SETTLE).await;
    }
}

/// A wall clock beside tokio's paused one, which a test may step or suspend.
#[derive(Debug)]
pub(crate) struct VirtualClock {
    origin: Instant,
    wall_at_origin: AtomicI64,
    suspended: AtomicU64,
    seed: AtomicU64,
    /// How often it was moved by hand.
    moves: watch::Sender<u64>,
    pub(super) stillness: Arc<super::still::held::Stillness>,
}

impl VirtualClock {
    /// A clock that shows `start` now.
    pub(crate) fn new(start: Timestamp) -> Self {
        Self {
            origin: monotonic_now(),
            wall_at_origin: AtomicI64::new(start.as_nanos()),
            suspended: AtomicU64::new(0),
            seed: AtomicU64::new(0),
            moves: watch::Sender::new(0),
            stillness: Arc::default(),
        }
    }

    /// tokio's time on the runtime of the instances, on whichever thread.
    pub(super) fn monotonic(&self) -> Instant {
        let _entered = self.stillness.runtime().map(tokio::runtime::Handle::enter);
        monotonic_now()
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        let since = self.monotonic().duration_since(self.origin);
        Timestamp::from_nanos(self.wall_at_origin.load(Ordering::SeqCst)).saturating_add(since)
    }

    pub(super) fn suspended(&self) -> u64 {
        self.suspended.load(Ordering::SeqCst)
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed.load(Ordering::SeqCst)
    }

    pub(super) fn moves(&self) -> u64 {
        *self.moves.borrow()
    }

    /// Completes when the clock has been moved more often than somebody has `seen`.
    pub(super) async fn moved(&self, seen: u64) {
        // The sender is our own, so it is not gone.
        let _ = self.moves.subscribe().wait_for(|moves| *moves != seen).await;
    }

    /// Sets the wall clock forward or back; no time elapses.
    pub(crate) fn step(&self, nanos: i64) {
        self.wall_at_origin.fetch_add(nanos, Ordering::SeqCst);
        self.moves.send_modify(|moves| *moves += 1);
    }

    /// Lets time pass during which nothing in the program runs.
    pub(crate) fn suspend(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.suspended.fetch_add(nanos, Ordering::SeqCst);
        self.step(i64::try_from(nanos).unwrap_or(i64::MAX));
    }
}
