//! Tokio's time, paused.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::clock::monotonic_now;
use crate::telemetry::panics;

/// Timers wake at whole milliseconds, counted from the start of the runtime.
const TICK: u64 = 1_000_000;

/// Pauses tokio's time, where it is not paused yet, at a moment where timers wake: what is due in an hour is then done in an
/// hour, and not a part of a millisecond later, which would be another in every run of the test.
///
/// # Panics
///
/// In a runtime with several threads, whose time cannot be paused.
pub(super) async fn pause() {
    let one_thread =
        Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
    assert!(
        one_thread,
        "virtual time needs a tokio runtime with one thread: `#[tokio::test]`, without `flavor = \"multi_thread\"`"
    );
    // Nothing tells whether it is paused already, but that it cannot be paused twice.
    panics::install_hook();
    let _ = panics::would_panic(tokio::time::pause);
    align().await;
}

/// Lets time pass to the next tick. Nothing tells where that is, but a timer that wakes there: the part of a tick that has
/// passed is found by halving.
async fn align() {
    // In nanoseconds: at least the one, less than the other.
    let (mut least, mut most) = (0, TICK);
    while most - least > 1 {
        let mut timer = pin!(tokio::time::sleep_until(monotonic_now()));
        let mut woken = async || poll_fn(|cx| Poll::Ready(timer.as_mut().poll(cx).is_ready())).await;
        if woken().await {
            return;
        }
        let middle = (least + most) / 2;
        tokio::time::advance(Duration::from_nanos(TICK - middle)).await;
        (least, most) = if woken().await { (0, most - middle) } else { (TICK - middle + least, TICK) };
    }
    tokio::time::advance(Duration::from_nanos(TICK - least)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn timers_wake_when_they_are_due() {
        for _ in 0..3 {
            pause().await;
            let before = monotonic_now();
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
            assert_eq!(monotonic_now() - before, Duration::from_millis(70));
            tokio::time::advance(Duration::from_nanos(123_457)).await;
        }
    }
}
