//! Time for a plain function that goes on until it is told to stop, on the clock of a test.
//!
//! tokio's paused time stands still while a plain function runs, so that one that does its work takes none of it. One that
//! waits for the time to be up would wait for ever: once it has asked for longer than any work in a test takes, time passes
//! when it asks.

use std::cell::Cell;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::telemetry::panics;

/// For how long a function asks in vain before it is thought to wait.
const PATIENCE: Duration = Duration::from_millis(200);

/// How much faster virtual time passes then.
const PACE: u32 = 20;

/// What one question lets pass at most, so that slots in between are not missed.
const MOST: Duration = Duration::from_secs(10);

/// What timers are as fine as.
const TICK: Duration = Duration::from_millis(1);

thread_local! {
    /// Since when the plain function on this thread runs, or a patience before time last passed for it.
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Calls a plain function.
pub(super) fn scope<R>(f: impl FnOnce() -> R) -> R {
    SINCE.set(Some(real_now()));
    let result = f();
    SINCE.set(None);
    result
}

/// Whether a plain function runs on this thread.
pub(super) fn is_plain() -> bool {
    SINCE.get().is_some()
}

/// A plain function has asked in vain whether it is to stop. On another thread than that of one, nothing happens.
pub(super) fn asked(clock: Arc<Clock>, is_stopped: impl Fn() -> bool + Send + 'static) {
    let (Some(since), Ok(runtime)) = (SINCE.get(), Handle::try_current()) else { return };
    let now = real_now();
    let waits = now.duration_since(since).saturating_sub(PATIENCE);
    if waits.is_zero() {
        return;
    }
    SINCE.set(now.checked_sub(PATIENCE));
    let (passed, all) = mpsc::channel::<()>();
    runtime.spawn(async move {
        pass(&clock, (waits * PACE).min(MOST), is_stopped).await;
        drop(passed);
    });
    // Nobody sends: it ends when time has passed, or the runtime with the test. A test that blocks its thread is not waited for.
    let _ = all.recv_timeout(PATIENCE);
}

#[expect(clippy::disallowed_methods, reason = "virtual time stands still")]
fn real_now() -> Instant {
    Instant::now()
}

/// Lets tokio's paused time pass, whatever holds it up, until somebody has enough of it. Nothing happens where it is not paused.
pub(crate) async fn pass(clock: &Clock, by: Duration, is_enough: impl Fn() -> bool) {
    let step = TICK.max(by / 10_000);
    let mut left = by;
    while !left.is_zero() && !is_enough() {
        let step = step.min(left);
        left -= step;
        let mut advance = std::pin::pin!(tokio::time::advance(step));
        let is_paused = std::future::poll_fn(|cx| {
            let mut polled = Poll::Pending;
            let panics = panics::would_panic(|| polled = advance.as_mut().poll(cx));
            if panics { Poll::Ready(false) } else { polled.map(|()| true) }
        });
        if !is_paused.await {
            return;
        }
        // Its timers have gone off, and who was woken by them has his turn.
        tokio::task::yield_now().await;
        clock.settled().await;
    }
}
