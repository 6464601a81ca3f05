//! What the job of every peer tells: that it ran, and how long after it was sent; and one that never ends, that it began.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// Sent to a job that is to say [`BEGUN`] and never to end.
pub(crate) const ENDLESS: u64 = u64::MAX >> 1;

/// The line of a job that never ends.
pub(crate) const BEGUN: &str = "begun";

static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);
static RAN: AtomicUsize = AtomicUsize::new(0);
/// When the first one ran, in nanoseconds since the base; 0 for not yet.
static FIRST: AtomicU64 = AtomicU64::new(0);
static DELAYS: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

/// Now, as a job is told it.
pub(crate) fn now() -> u64 {
    u64::try_from(BASE.elapsed().as_nanos()).expect("not for centuries").max(1)
}

pub(crate) fn reset() {
    RAN.store(0, Ordering::SeqCst);
    FIRST.store(0, Ordering::SeqCst);
    DELAYS.lock().expect("no panic").clear();
}

/// What a job does; `sent` is 0 where nobody asks for its delay.
pub(crate) async fn run(sent: u64) {
    if sent == ENDLESS {
        println!("{BEGUN}");
        std::future::pending::<()>().await;
    }
    let _ = FIRST.compare_exchange(0, now(), Ordering::Relaxed, Ordering::Relaxed);
    if sent != 0 {
        let delay = Duration::from_nanos(now().saturating_sub(sent));
        DELAYS.lock().expect("no panic").push(delay);
    }
    RAN.fetch_add(1, Ordering::SeqCst);
}

pub(crate) fn ran() -> usize {
    RAN.load(Ordering::SeqCst)
}

/// Nobody waits longer for the next job to run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until so many have run, or none has for long. Answers how many have not.
pub(crate) async fn until(count: usize) -> usize {
    let mut last = (ran(), Instant::now());
    while last.0 < count && last.1.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if ran() != last.0 {
            last = (ran(), Instant::now());
        }
    }
    count.saturating_sub(last.0)
}

/// Since the first one ran.
pub(crate) fn since_first() -> Duration {
    Duration::from_nanos(now() - FIRST.load(Ordering::SeqCst))
}

/// The delays so far, sorted.
pub(crate) fn delays() -> Vec<Duration> {
    let mut delays = DELAYS.lock().expect("no panic").clone();
    delays.sort();
    delays
}
