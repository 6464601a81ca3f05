//! What a run comes to: success, an error, a panic wherever the code of the user can panic, a cancellation.

mod support;

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use jobs::{BoxError, Job, JobContext, JobResult, JobStatus, Jobs, Outcome, func, job};
use serde::{Deserialize, Serialize};
use support::{MINUTE, SECOND, clock, config};

#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Layer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|layer| layer as _)
    }
}

#[job]
async fn returns(what: String) -> Result<u32, BoxError> {
    Err(match what.as_str() {
        "chain" => {
            let root = Layer("connection refused", None);
            Box::new(Layer("cannot send", Some(Box::new(Layer("no mailer", Some(Box::new(root)))))))
        }
        // An error that ends with the text of its source already.
        "told" => Box::new(Layer("cannot send: no mailer", Some(Box::new(Layer("no mailer", None))))),
        "text" => "plain text".into(),
        _ => return Ok(7),
    })
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped {}", self.0);
        }
    }
}

/// Panics when it is dropped, and so does what that panic carries.
struct Endless;

impl Drop for Endless {
    fn drop(&mut self) {
        panic_any(Endless);
    }
}

#[derive(Debug)]
struct BadError(&'static str, #[expect(dead_code, reason = "for its drop")] Option<Bomb>);

impl std::fmt::Display for BadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        assert!(self.0 != "unspeakable", "no words");
        f.write_str(self.0)
    }
}

impl std::error::Error for BadError {}

#[job]
async fn panics(what: String) -> Result<(), BoxError> {
    match what.as_str() {
        "at once" => panic!("no {}", "tea"),
        "later" => {
            tokio::task::yield_now().await;
            panic!("later");
        }
        "local" => {
            let _bomb = Bomb("local");
            tokio::task::yield_now().await;
        }
        "payload" => panic_any(7_u8),
        "bad payload" => panic_any(Endless),
        "unspeakable" => return Err(Box::new(BadError("unspeakable", None))),
        "undroppable" => return Err(Box::new(BadError("undroppable", Some(Bomb("error"))))),
        _ => {}
    }
    Ok(())
}

#[job]
fn panics_in_fn(what: String) {
    match what.as_str() {
        "at once" => panic!("no {}", "coffee"),
        "local" => drop(Bomb("local of fn")),
        "bad payload" => panic_any(Endless),
        _ => {}
    }
}

/// Holds a bomb across its wait.
#[job]
async fn holds() {
    let bomb = Bomb("held");
    tokio::time::sleep(MINUTE).await;
    std::mem::forget(bomb);
}

/// Panics when it is cloned, and when it is dropped.
#[derive(Debug, Serialize, Deserialize)]
struct Fragile {
    clone: bool,
    drop: bool,
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.clone, "cannot be cloned");
        Self { clone: self.clone, drop: self.drop }
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.drop || std::thread::panicking(), "cannot be dropped");
    }
}

impl Job for Fragile {
    const NAME: &'static str = "fragile";

    async fn run(self, _cx: JobContext) -> JobResult {
        Ok(())
    }
}

/// Panics before there is a future.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sudden;

impl Job for Sudden {
    const NAME: &'static str = "sudden";

    fn run(self, _cx: JobContext) -> impl Future<Output = JobResult> + Send + 'static {
        assert!(std::hint::black_box(false), "before the future");
        async { Ok(()) }
    }
}

async fn started() -> (Jobs, jobs::testing::TestClock) {
    let clock = clock("2026-03-02 12:00:00");
    // A pool of one: a worker that is lost would be missed.
    (jobs::start(config(&clock).pool(1)).await.unwrap(), clock)
}

/// The pool executes what comes after, and counts right.
async fn pool_is_whole(jobs: &Jobs) {
    let one = jobs.now(returns { what: String::new() }).await.unwrap();
    let other = jobs.now(returns { what: String::new() }).await.unwrap();
    assert_eq!((one.wait().await, other.wait().await), (Outcome::Succeeded, Outcome::Succeeded));
    let pool = jobs.snapshot().pool;
    assert_eq!((pool.running, pool.queued), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_with_its_sources() {
    let (jobs, _) = started().await;
    let cases = [
        ("chain", "cannot send: no mailer: connection refused"),
        ("told", "cannot send: no mailer"),
        ("text", "plain text"),
    ];
    for (what, message) in cases {
        let outcome = jobs.now(returns { what: what.into() }).await.unwrap().wait().await;
        assert_eq!(outcome, Outcome::Failed(message.into()));
        assert_eq!(
            (outcome.is_success(), outcome.as_str(), outcome.message()),
            (false, "failed", Some(message))
        );
        assert_eq!(outcome.to_string(), format!("failed: {message}"));
        let previous = jobs.snapshot().job("returns").unwrap().previous.clone().unwrap();
        assert_eq!(previous.outcome, outcome);
    }
    let outcome = jobs.now(returns { what: "number".into() }).await.unwrap().wait().await;
    assert_eq!(
        (outcome.clone(), outcome.message(), outcome.to_string()),
        (Outcome::Succeeded, None, "succeeded".into())
    );
    pool_is_whole(&jobs).await;
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_run_and_no_other() {
    let (jobs, _) = started().await;
    let panicked = |message: &str| Outcome::Panicked(message.to_owned());
    let no_text = "a panic whose payload is no text";
    let cases = [
        ("at once", panicked("no tea")),
        ("later", panicked("later")),
        ("local", panicked("dropped local")),
        ("payload", panicked(no_text)),
        ("bad payload", panicked(no_text)),
        ("unspeakable", Outcome::Failed("an error that panics when it is shown or dropped".into())),
        ("undroppable", Outcome::Failed("an error that panics when it is shown or dropped".into())),
    ];
    for (what, wanted) in cases {
        // With another behind it, which must not be left in the queue.
        let handle = jobs.now(panics { what: what.into() }).await.unwrap();
        let next = jobs.now(panics { what: "no".into() }).await.unwrap();
        assert_eq!(handle.wait().await, wanted, "{what}");
        assert_eq!(next.wait().await, Outcome::Succeeded, "{what}");
        pool_is_whole(&jobs).await;
    }
    for (what, message) in
        [("at once", "no coffee"), ("local", "dropped local of fn"), ("bad payload", no_text)]
    {
        let handle = jobs.now(panics_in_fn { what: what.into() }).await.unwrap();
        let next = jobs.now(panics_in_fn { what: "no".into() }).await.unwrap();
        assert_eq!(
            (handle.wait().await, next.wait().await),
            (panicked(message), Outcome::Succeeded),
            "{what}"
        );
        pool_is_whole(&jobs).await;
    }
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_future_fails_the_run() {
    let (jobs, _) = started().await;
    let outcome = jobs.now(Sudden).await.unwrap().wait().await;
    assert_eq!(outcome, Outcome::Panicked("before the future".into()));
    let sudden = || -> std::future::Ready<()> { panic!("in the closure") };
    let outcome = jobs.now(func("sudden_func", sudden)).await.unwrap().wait().await;
    assert_eq!(outcome, Outcome::Panicked("in the closure".into()));
    pool_is_whole(&jobs).await;
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_panics_when_cloned_fails_the_runs_of_its_schedule() {
    let (jobs, clock) = started().await;
    jobs.schedule("0 * * * * *", Fragile { clone: true, drop: false }).await.unwrap();
    clock.advance(MINUTE * 3).await;
    let job = jobs.snapshot().job("fragile").cloned().unwrap();
    assert_eq!(job.previous.unwrap().outcome, Outcome::Panicked("cannot be cloned".into()));
    assert_eq!((job.schedules[0].ran, job.status), (3, JobStatus::Idle));
    pool_is_whole(&jobs).await;
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn values_that_panic_when_dropped_take_nothing_with_them() {
    let (jobs, clock) = started().await;
    let fragile = || Fragile { clone: false, drop: true };
    // By its run.
    let outcome = jobs.now(fragile()).await.unwrap().wait().await;
    assert_eq!(outcome, Outcome::Panicked("cannot be dropped".into()));
    // Cancelled before it starts.
    let handle = jobs.after(MINUTE, fragile()).await.unwrap();
    assert!(handle.cancel().await);
    assert_eq!(handle.wait().await, Outcome::Cancelled);
    // Cancelled where it waits.
    let handle = jobs.now(holds {}).await.unwrap();
    clock.advance(SECOND).await;
    assert!(handle.cancel().await);
    assert_eq!(handle.wait().await, Outcome::Cancelled);
    pool_is_whole(&jobs).await;
    // Lost at shutdown, before and after another.
    jobs.after(MINUTE, fragile()).await.unwrap();
    let lost = jobs.after(MINUTE, returns { what: String::new() }).await.unwrap();
    jobs.after(MINUTE, fragile()).await.unwrap();
    assert_eq!(jobs.shutdown().await.lost, 3);
    assert_eq!(lost.wait().await, Outcome::Lost);
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_tells_the_run_that_ended_last() {
    let (jobs, clock) = started().await;
    assert!(jobs.snapshot().job("returns").unwrap().previous.is_none());
    let first = jobs.now(returns { what: String::new() }).await.unwrap();
    first.wait().await;
    clock.advance(MINUTE).await;
    jobs.schedule("30 * * * * *", returns { what: String::new() }).await.unwrap();
    clock.advance(MINUTE).await;
    let previous = jobs.snapshot().job("returns").unwrap().previous.clone().unwrap();
    assert_eq!(previous.outcome, Outcome::Succeeded);
    assert_eq!(previous.slot, Some(support::utc("2026-03-02 12:01:30")));
    assert!(previous.id > first.id());
    let late = previous.started_at - previous.slot.unwrap();
    assert!((0..=1).contains(&late.num_milliseconds()));
    assert_eq!(previous.duration(), Duration::ZERO);
    let handle = jobs.now(func("nap", || tokio::time::sleep(SECOND * 5))).await.unwrap();
    handle.wait().await;
    let nap = jobs.snapshot().job("nap").unwrap().previous.clone().unwrap();
    assert_eq!((nap.id, nap.slot, nap.duration().as_secs()), (handle.id(), None, 5));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_outcome_can_be_asked_for_before_and_after_the_end_and_by_many() {
    let (jobs, clock) = started().await;
    let handle = jobs.now(func("nap", || tokio::time::sleep(SECOND))).await.unwrap();
    let (a, b) = (handle.clone(), handle.clone());
    // One that stops waiting.
    assert!(tokio::time::timeout(Duration::from_millis(10), handle.wait()).await.is_err());
    assert_eq!(tokio::join!(a.wait(), b.wait()), (Outcome::Succeeded, Outcome::Succeeded));
    clock.advance(MINUTE).await;
    assert_eq!(handle.wait().await, Outcome::Succeeded);
    assert!(!handle.cancel().await, "it has ended");
    // Runs of other jobs do not push it out; ten thousand of its own do.
    for _ in 0..10_001 {
        jobs.now(returns { what: String::new() }).await.unwrap();
    }
    clock.advance(SECOND).await;
    assert_eq!(handle.wait().await, Outcome::Succeeded);
    for _ in 0..10_000 {
        jobs.now(func("nap", || async {})).await.unwrap();
    }
    clock.advance(SECOND).await;
    let last = jobs.now(returns { what: "text".into() }).await.unwrap();
    last.wait().await;
    assert_eq!(handle.wait().await, Outcome::Unknown);
    assert_eq!(last.wait().await, Outcome::Failed("plain text".into()));
    jobs.shutdown().await;
    assert_eq!(last.wait().await, Outcome::Failed("plain text".into()));
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_in_every_state() {
    let (jobs, clock) = started().await;
    let dropped = Arc::new(AtomicBool::new(false));
    struct Tell(Arc<AtomicBool>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let begun = Arc::new(AtomicU32::new(0));
    let (tell, count) = (Arc::clone(&dropped), Arc::clone(&begun));
    let nap = func("nap", move || {
        count.fetch_add(1, Ordering::SeqCst);
        let tell = Tell(Arc::clone(&tell));
        async move {
            tokio::time::sleep(MINUTE).await;
            drop(tell);
        }
    });
    let running = jobs.now(nap.clone()).await.unwrap();
    let queued = jobs.now(nap.clone()).await.unwrap();
    let delayed = jobs.after(SECOND, nap.clone()).await.unwrap();
    clock.advance(Duration::from_millis(100)).await;
    for handle in [&queued, &delayed] {
        assert!(handle.cancel().await);
        assert!(!handle.cancel().await);
        assert_eq!(handle.wait().await, Outcome::Cancelled);
    }
    let job = jobs.snapshot().job("nap").cloned().unwrap();
    assert_eq!((job.running, job.queued, job.delayed), (1, 0, 0));
    assert!(job.previous.is_none(), "what never started is no previous run");
    clock.advance(SECOND * 2).await;
    assert_eq!((begun.load(Ordering::SeqCst), dropped.load(Ordering::SeqCst)), (1, false));
    assert!(running.cancel().await);
    assert_eq!(running.wait().await, Outcome::Cancelled);
    assert!(dropped.load(Ordering::SeqCst), "dropped where it awaits");
    let previous = jobs.snapshot().job("nap").unwrap().previous.clone().unwrap();
    assert_eq!((previous.id, previous.outcome), (running.id(), Outcome::Cancelled));
    pool_is_whole(&jobs).await;
    // The cancellation was of that run and is not for the next.
    let next = jobs.now(nap).await.unwrap();
    assert_eq!(next.wait().await, Outcome::Succeeded);
    jobs.shutdown().await;
}

static HELD: AtomicBool = AtomicBool::new(true);
static BEGUN: AtomicBool = AtomicBool::new(false);

#[job]
fn held() {
    BEGUN.store(true, Ordering::SeqCst);
    while HELD.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

/// A plain `fn` that has begun cannot be stopped: it goes on, and its outcome is its own.
#[tokio::test(start_paused = true)]
async fn cancelling_a_sync_run_that_runs_stops_nothing() {
    let (jobs, _) = started().await;
    let running = jobs.now(held {}).await.unwrap();
    let queued = jobs.now(held {}).await.unwrap();
    while !BEGUN.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    assert!(running.cancel().await);
    assert!(queued.cancel().await);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(jobs.snapshot().job("held").unwrap().running, 1);
    HELD.store(false, Ordering::SeqCst);
    assert_eq!((running.wait().await, queued.wait().await), (Outcome::Succeeded, Outcome::Cancelled));
    pool_is_whole(&jobs).await;
    jobs.shutdown().await;
}
