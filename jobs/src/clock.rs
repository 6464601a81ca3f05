//! The only place that reads the time.
//!
//! Two times matter, and they part company whenever somebody sets the clock: *elapsed* time, which never goes
//! back and is what intervals and timeouts count, and *wall* time, which cron schedules follow. A [`Clock`]
//! gives both from one reading of the monotonic clock plus an offset that the scheduler refreshes whenever it
//! wakes, so that the many readings of the pool cost one call each.
//!
//! The monotonic clock is tokio's, which makes the whole of `jobs` follow `tokio::time::pause`.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

#[cfg_attr(
    not(feature = "postgres"),
    allow(dead_code, reason = "only a node of a cluster is a thread of its own")
)]
mod still;
#[cfg(feature = "testing")]
mod virtual_clock;
#[cfg(feature = "postgres")]
pub(crate) use still::Told;
pub(crate) use still::{Call, Hold};
#[cfg(feature = "testing")]
pub use virtual_clock::TestClock;
#[cfg(feature = "testing")]
pub(crate) use virtual_clock::VirtualClock;

/// An instant of the wall clock in nanoseconds since 1970, good for the years 1678 to 2261.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    pub(crate) const MIN: Self = Self(i64::MIN);
    pub(crate) const MAX: Self = Self(i64::MAX);

    pub(crate) fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub(crate) fn as_nanos(self) -> i64 {
        self.0
    }

    /// The nearest representable instant.
    pub(crate) fn from_chrono(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_nanos_opt().unwrap_or(if at.timestamp() < 0 { i64::MIN } else { i64::MAX }))
    }

    pub(crate) fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }

    pub(crate) fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    pub(crate) fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whether it lies further back than `age`.
    pub(crate) fn is_past(self, age: Duration, now: Self) -> bool {
        now.0.saturating_sub(self.0) > i64::try_from(nanos(age)).unwrap_or(i64::MAX)
    }
}

/// Elapsed time, counted from [`HEAD_START`] before the clock was made. It never goes back, and the time that the machine
/// was suspended counts where the system tells it. In nanoseconds, which last for 584 years: a [`Duration`] would have its
/// seconds taken apart and put together with every reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Elapsed(u64);

/// What has elapsed when a clock is made: twenty years, so that what another process has left has its place on the same
/// line, an interval that should have fired before this one began among it.
const HEAD_START: u64 = 20 * 365 * 86_400 * 1_000_000_000;

fn nanos(of: Duration) -> u64 {
    of.as_secs().saturating_mul(1_000_000_000).saturating_add(of.subsec_nanos().into())
}

impl Elapsed {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    pub(crate) fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// How long after `earlier` this is; zero when it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Reading {
    /// When on the elapsed line the wall clock had shown a time, or will, if nobody sets it.
    pub(crate) fn elapsed_at(self, wall: Timestamp) -> Elapsed {
        if wall > self.wall {
            self.elapsed.saturating_add(wall.since(self.wall))
        } else {
            Elapsed(self.elapsed.0.saturating_sub(nanos(self.wall.since(wall))))
        }
    }
}

/// Both times at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) elapsed: Elapsed,
    pub(crate) wall: Timestamp,
}

/// How far the wall clock was found to have moved on its own since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift {
    /// Nanoseconds that the wall clock went beyond what elapsed; negative when it was set back.
    pub(crate) nanos: i64,
    /// The machine slept: the shift counts as elapsed time.
    pub(crate) suspended: bool,
}

/// A shift that is worth a word in the log; less is the daily work of a time daemon.
const NOTEWORTHY: Duration = Duration::from_secs(1);

/// The wall clock is that of this machine.
#[cfg(feature = "postgres")]
const OWN: i64 = i64::MIN;

/// Where the time comes from.
pub(crate) struct Clock {
    origin: Instant,
    /// The wall clock at the origin, in nanoseconds since 1970, as last looked at.
    wall_at_origin: AtomicI64,
    /// Time spent suspended since the origin, in nanoseconds.
    suspended: AtomicU64,
    source: Source,
    /// The wall clock at the origin by another machine's, which this one follows; none on [`OWN`].
    #[cfg(feature = "postgres")]
    followed: AtomicI64,
    /// How often a test's clock had been moved by hand when it was last looked at.
    #[cfg(feature = "testing")]
    seen: AtomicU64,
}

enum Source {
    System {
        /// The system's uptime at the origin, which goes on while the machine is suspended.
        uptime_at_origin: Option<Duration>,
        /// The origin by the real clock, from which tokio's departs in a test that pauses it.
        #[cfg(feature = "testing")]
        real_origin: std::time::Instant,
    },
    #[cfg(feature = "testing")]
    Virtual(std::sync::Arc<VirtualClock>),
}

impl Clock {
    /// The machine's clock.
    pub(crate) fn system() -> Self {
        let origin = monotonic_now();
        Self {
            origin,
            wall_at_origin: AtomicI64::new(system_wall_nanos()),
            suspended: AtomicU64::new(0),
            #[cfg(feature = "postgres")]
            followed: AtomicI64::new(OWN),
            source: Source::System {
                uptime_at_origin: uptime(),
                #[cfg(feature = "testing")]
                real_origin: real_now(),
            },
            #[cfg(feature = "testing")]
            seen: AtomicU64::new(0),
        }
    }

    /// A clock that a test moves.
    #[cfg(feature = "testing")]
    pub(crate) fn virtual_(clock: std::sync::Arc<VirtualClock>) -> Self {
        clock.stillness.enter();
        Self {
            origin: clock.monotonic(),
            wall_at_origin: AtomicI64::new(clock.now().as_nanos()),
            suspended: AtomicU64::new(clock.suspended()),
            seen: AtomicU64::new(clock.moves()),
            #[cfg(feature = "postgres")]
            followed: AtomicI64::new(OWN),
            source: Source::Virtual(clock),
        }
    }

    /// Both times now, from one reading of the monotonic clock.
    pub(crate) fn now(&self) -> Reading {
        self.reading(self.monotonic())
    }

    /// What has passed since the origin.
    fn monotonic(&self) -> Duration {
        let now = match &self.source {
            Source::System { .. } => monotonic_now(),
            #[cfg(feature = "testing")]
            Source::Virtual(clock) => clock.monotonic(),
        };
        now.duration_since(self.origin)
    }

    fn reading(&self, monotonic: Duration) -> Reading {
        let monotonic = nanos(monotonic);
        let elapsed = HEAD_START + monotonic + self.suspended.load(Ordering::Relaxed);
        let wall = self.wall_at_origin.load(Ordering::Relaxed).saturating_add_unsigned(monotonic);
        Reading { elapsed: Elapsed(elapsed), wall: Timestamp(wall) }
    }

    /// Both times as they are, also when the wall clock has moved on its own by a second or more and nobody has
    /// [looked](Self::look) yet, which it says: for whoever counts from now on. What has passed in a suspension must not be
    /// taken for a part of the wait that begins after it.
    pub(crate) fn present(&self) -> (Reading, bool) {
        let monotonic = self.monotonic();
        let wall_at_origin = self.wall_at_origin(monotonic);
        let known = self.reading(monotonic);
        let apart = wall_at_origin.saturating_sub(self.wall_at_origin.load(Ordering::Relaxed));
        if apart.unsigned_abs() < nanos(NOTEWORTHY) {
            return (known, false);
        }
        let unseen = self.suspended_until(monotonic).saturating_sub(self.suspended.load(Ordering::Relaxed));
        let elapsed = known.elapsed.saturating_add(Duration::from_nanos(unseen));
        (Reading { elapsed, wall: Timestamp(wall_at_origin.saturating_add_unsigned(nanos(monotonic))) }, true)
    }

    /// Looks at the wall clock anew, and says when it has moved on its own by a second or more.
    ///
    /// Only the scheduler calls it, at every wake; until then [`now`](Self::now) goes on from the last look.
    pub(crate) fn look(&self) -> (Reading, Option<Shift>) {
        let monotonic = self.monotonic();
        // Before the reading: a move that comes between the two is looked at once more.
        #[cfg(feature = "testing")]
        if let Source::Virtual(clock) = &self.source {
            self.seen.store(clock.moves(), Ordering::SeqCst);
        }
        let wall_at_origin = self.wall_at_origin(monotonic);
        let before = self.wall_at_origin.swap(wall_at_origin, Ordering::Relaxed);
        let nanos = wall_at_origin.saturating_sub(before);
        if nanos.unsigned_abs() < NOTEWORTHY.as_nanos() as u64 {
            return (self.reading(monotonic), None);
        }
        let suspended_before = self.suspended.load(Ordering::Relaxed);
        let suspended = self.suspended_until(monotonic).max(suspended_before);
        self.suspended.store(suspended, Ordering::Relaxed);
        let slept = Duration::from_nanos(suspended - suspended_before) >= NOTEWORTHY;
        (self.reading(monotonic), Some(Shift { nanos, suspended: slept }))
    }

    /// What the wall clock showed at the origin, as it is now.
    fn wall_at_origin(&self, monotonic: Duration) -> i64 {
        #[cfg(feature = "postgres")]
        match self.followed.load(Ordering::Relaxed) {
            OWN => {}
            followed => return followed,
        }
        let wall = match &self.source {
            #[cfg(not(feature = "testing"))]
            Source::System { .. } => system_wall_nanos(),
            // Where a test pauses tokio's time and gives no clock of its own, the wall goes along with it.
            #[cfg(feature = "testing")]
            Source::System { real_origin, .. } => {
                let real = real_now().duration_since(*real_origin);
                let ahead = monotonic.as_nanos() as i64 - real.as_nanos() as i64;
                system_wall_nanos().saturating_add(ahead)
            }
            #[cfg(feature = "testing")]
            Source::Virtual(clock) => clock.now().as_nanos(),
        };
        wall.saturating_sub(i64::try_from(monotonic.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Follows the clock of another machine from now on, which showed `wall` between two readings of this one. In between it
    /// goes on by the monotonic clock, whatever becomes of the wall clock here. What is heard for the first time holds at once,
    /// and later at the next [`look`](Self::look).
    #[cfg(feature = "postgres")]
    pub(crate) fn follow(&self, before: Reading, wall: Timestamp, after: Reading) {
        let took = after.elapsed.since(before.elapsed);
        let suspended = self.suspended.load(Ordering::Relaxed);
        let middle = before.elapsed.saturating_add(took / 2).0.saturating_sub(HEAD_START + suspended);
        let heard = wall.as_nanos().saturating_sub_unsigned(middle);
        let known = self.followed.load(Ordering::Relaxed);
        // As exact as it can be known: what is within that says nothing, and a wall that jumps to and fro serves nobody. The first
        // answer holds however long it took: the clock here may be wrong by hours.
        let exact = u64::try_from(took.as_nanos() / 2).unwrap_or(u64::MAX);
        if known == OWN {
            self.followed.store(heard, Ordering::Relaxed);
            self.wall_at_origin.store(heard, Ordering::Relaxed);
        } else if known.abs_diff(heard) > exact {
            self.followed.store(heard, Ordering::Relaxed);
        }
    }

    /// Nanoseconds that the machine has been suspended since the origin, as far as the system tells.
    fn suspended_until(&self, monotonic: Duration) -> u64 {
        match &self.source {
            Source::System { uptime_at_origin, .. } => {
                let Some((before, now)) = uptime_at_origin.zip(uptime()) else { return 0 };
                let asleep = now.saturating_sub(before).saturating_sub(monotonic);
                u64::try_from(asleep.as_nanos()).unwrap_or(u64::MAX)
            }
            #[cfg(feature = "testing")]
            Source::Virtual(clock) => clock.suspended(),
        }
    }

    /// The monotonic instant at which `elapsed` will have been reached, for a timer.
    pub(crate) fn instant_at(&self, elapsed: Elapsed) -> Instant {
        let suspended = self.suspended.load(Ordering::Relaxed);
        self.origin + Duration::from_nanos(elapsed.0.saturating_sub(HEAD_START + suspended))
    }

    /// How long the scheduler may sleep without looking at the wall clock: a step of the system's clock and the
    /// end of a suspension send no event, a test's clock does.
    pub(crate) fn longest_sleep(&self) -> Duration {
        match &self.source {
            Source::System { .. } => Duration::from_secs(10),
            #[cfg(feature = "testing")]
            Source::Virtual(_) => Duration::from_secs(365 * 86_400),
        }
    }

    /// Whether it is that of a test.
    #[cfg(any(feature = "testing", feature = "sqlite", feature = "postgres"))]
    pub(crate) fn is_virtual(&self) -> bool {
        match &self.source {
            Source::System { .. } => false,
            #[cfg(feature = "testing")]
            Source::Virtual(_) => true,
        }
    }

    /// On a test's clock, lets go first what else comes at this instant: a run that ends when a slot comes has ended before it.
    pub(crate) async fn let_others_go_first(&self) {
        #[cfg(feature = "testing")]
        if let Source::Virtual(_) = &self.source {
            // The end of a job that awaits what another task has to tell it takes as many turns.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            // What has ended is to be known where others look.
            self.settled().await;
        }
    }

    /// Completes when somebody has moved the clock by hand; never on the system's.
    pub(crate) async fn moved(&self) {
        match &self.source {
            Source::System { .. } => std::future::pending().await,
            #[cfg(feature = "testing")]
            Source::Virtual(clock) => clock.moved(self.seen.load(Ordering::SeqCst)).await,
        }
    }

    /// Sixty-four bits that no other instance has; on a test's clock its seed.
    pub(crate) fn entropy(&self) -> u64 {
        match &self.source {
            Source::System { .. } => random(),
            #[cfg(feature = "testing")]
            Source::Virtual(clock) => clock.seed(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Sixty-four bits that nobody else has.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn monotonic_now() -> Instant {
    Instant::now()
}

#[cfg(feature = "testing")]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn real_now() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn system_wall_nanos() -> i64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    let nanos = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    };
    #[cfg(feature = "testing")]
    let nanos = nanos.saturating_add(SET_BY.load(Ordering::Relaxed));
    nanos
}

/// How far a test has set the clock of the machine, for this process.
#[cfg(feature = "testing")]
static SET_BY: AtomicI64 = AtomicI64::new(0);

/// Sets the clock of the machine for this process, so far from what it shows to others.
#[cfg(feature = "testing")]
pub(crate) fn set_system(by: chrono::TimeDelta) {
    SET_BY.store(by.num_nanoseconds().unwrap_or_default(), Ordering::Relaxed);
}

/// Time since boot with suspension, which only Linux gives without a call of our own into the system. Elsewhere
/// a suspension looks like a clock that was set forward, and intervals go on as if no time had passed.
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    fn later(reading: Reading, millis: u64) -> Reading {
        let elapsed = reading.elapsed.saturating_add(Duration::from_millis(millis));
        Reading { elapsed, ..reading }
    }

    #[test]
    fn a_clock_that_follows_goes_on_from_what_the_other_showed() {
        let clock = Clock::system();
        let ahead = Duration::from_secs(300);
        let start = clock.now();
        clock.follow(start, start.wall.saturating_add(ahead), later(start, 10));
        let apart = |clock: &Clock, start: Reading| {
            let now = clock.look().0;
            now.wall.since(start.wall).saturating_sub(now.elapsed.since(start.elapsed))
        };
        let led = apart(&clock, start);
        assert!(led < ahead && ahead - led < Duration::from_millis(50), "{led:?}");
        // What is within what can be known changes nothing.
        clock.follow(start, start.wall.saturating_add(ahead), later(start, 20));
        clock.follow(start, start.wall.saturating_add(ahead), later(start, 700_000));
        assert_eq!(apart(&clock, start), led);
        // The other was set.
        clock.follow(start, start.wall.saturating_add(2 * ahead), start);
        let (now, shift) = clock.look();
        assert!(shift.is_some_and(|shift| !shift.suspended), "{shift:?}");
        assert!(now.wall.since(start.wall) >= 2 * ahead);
    }

    #[test]
    fn a_clock_follows_from_the_first_answer_on_however_slow_that_was() {
        let clock = Clock::system();
        let ahead = Duration::from_secs(300);
        let start = clock.now();
        clock.follow(start, start.wall.saturating_add(ahead), later(start, 4_000));
        let apart = |reading: Reading| {
            reading.wall.since(start.wall).saturating_sub(reading.elapsed.since(start.elapsed))
        };
        let slow = apart(clock.look().0);
        assert!(slow >= ahead - Duration::from_secs(2) && slow < ahead, "{slow:?}");
        // One that knows better.
        clock.follow(start, start.wall.saturating_add(ahead), later(start, 10));
        let prompt = apart(clock.look().0);
        assert!(prompt < ahead && ahead - prompt < Duration::from_millis(50), "{prompt:?}");
    }
}
