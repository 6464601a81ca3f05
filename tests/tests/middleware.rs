//! Functions around every attempt.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::testing::TestClock;
use jobs::{BoxError, Config, JobContext, Outcome, func, job};
use support::{Log, MINUTE, SECOND, clock, note};

#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Says before and after what it is around.
fn saying(config: Config, seen: &Seen, name: &'static str) -> Config {
    let seen = seen.clone();
    config.middleware(move |cx, next| {
        let seen = seen.clone();
        async move {
            seen.add(format!("{name} before {} {}", cx.job(), cx.attempt()));
            let result = next.run(cx).await;
            seen.add(format!(
                "{name} after {}",
                result.as_ref().map_or_else(ToString::to_string, |()| "ok".into())
            ));
            result
        }
    })
}

#[job(retries = 1)]
async fn fragile(#[state] seen: &Seen, cx: &JobContext, word: String) -> Result<(), BoxError> {
    seen.add(format!("says {word}"));
    if cx.attempt() == 1 { Err("not yet".into()) } else { Ok(()) }
}

#[job]
fn plain(#[state] seen: &Seen, cx: &JobContext) {
    seen.add(format!("plain {}", cx.job()));
}

#[job(schedule = "0 0 0 1 1 *")]
async fn yearly() {}

/// Fails with this text, where there is one.
#[job(retries = 0)]
async fn fails(text: String) -> Result<(), BoxError> {
    if text.is_empty() { Ok(()) } else { Err(text.into()) }
}

#[job(retries = 0, timeout = "10s")]
async fn nap(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// With what the jobs above ask for.
fn config(clock: &TestClock) -> (Config, Seen) {
    let seen = Seen::default();
    (support::config(clock).state(seen.clone()), seen)
}

#[tokio::test(start_paused = true)]
async fn the_first_is_the_outermost_and_every_attempt_goes_through_all() {
    let clock = clock("2026-03-02 12:00:00");
    let (config, seen) = config(&clock);
    let jobs = jobs::start(saying(saying(config, &seen, "outer"), &seen, "inner")).await.unwrap();
    let run = jobs.now(fragile { word: "hello".into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(
        seen.take(),
        [
            "outer before fragile 1",
            "inner before fragile 1",
            "says hello",
            "inner after not yet",
            "outer after not yet",
            "outer before fragile 2",
            "inner before fragile 2",
            "says hello",
            "inner after ok",
            "outer after ok",
        ]
    );
    jobs.now(plain {}).await.unwrap().wait().await;
    jobs.now(func("closure", || async { Ok::<_, BoxError>(()) })).await.unwrap().wait().await;
    jobs.run_now("yearly").await.unwrap().wait().await;
    let heard = seen.take();
    assert_eq!(heard.iter().filter(|line| line.starts_with("outer before")).count(), 3, "{heard:?}");
    assert_eq!(heard[2], "plain plain");
}

#[tokio::test(start_paused = true)]
async fn it_may_exchange_the_result() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock).0.middleware(|cx, next| async move {
        match next.run(cx).await {
            Err(error) if error.to_string() == "harmless" => Ok(()),
            Err(error) => Err(format!("wrapped: {error}").into()),
            Ok(()) => Err("too good to be true".into()),
        }
    });
    let jobs = jobs::start(config).await.unwrap();
    let outcome = async |text: &str| jobs.now(fails { text: text.into() }).await.unwrap().wait().await;
    assert_eq!(outcome("harmless").await, Outcome::Succeeded);
    assert_eq!(outcome("bad").await, Outcome::Failed("wrapped: bad".into()));
    assert_eq!(outcome("").await, Outcome::Failed("too good to be true".into()));
}

#[tokio::test(start_paused = true)]
async fn it_may_stand_in_for_the_job() {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let away = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&away);
    let config = config(&clock).0.state(log.clone()).middleware(move |cx, next| {
        let away = flag.load(Ordering::SeqCst);
        async move {
            if away {
                return Err(BoxError::from("the database is away"));
            }
            if cx.slot().is_some() { Ok(()) } else { next.run(cx).await }
        }
    });
    let jobs = jobs::start(config).await.unwrap();
    let run = jobs.now(note("a")).await.unwrap();
    clock.advance(SECOND * 5).await;
    assert_eq!((run.attempts().len() > 1, log.len()), (true, 0));
    assert!(run.attempts().iter().all(|a| a.outcome == Outcome::Failed("the database is away".into())));
    away.store(false, Ordering::SeqCst);
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(log.tags(), ["a"]);
    // `Ok` in its place is a success of the job that has not run.
    jobs.every(MINUTE, note("b")).await.unwrap();
    clock.advance(MINUTE).await;
    assert_eq!(jobs.snapshot().job("note").unwrap().previous.as_ref().unwrap().outcome, Outcome::Succeeded);
    assert_eq!(log.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn its_panic_is_the_attempts_wherever_it_comes() {
    for when in ["called", "before", "after"] {
        let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
        let config = config(&clock).0.state(log.clone()).middleware(move |cx, next| {
            assert_ne!(when, "called", "it is called");
            async move {
                assert_ne!(when, "before", "it is polled");
                let result = next.run(cx).await;
                assert_ne!(when, "after", "the job is done");
                result
            }
        });
        let jobs =
            jobs::start(config.job("note", |job| job.retries(1)).register::<support::Note>()).await.unwrap();
        let run = jobs.now(note("a")).await.unwrap();
        let outcome = run.wait().await;
        assert!(matches!(&outcome, Outcome::Panicked(message) if message.contains("assertion")), "{outcome}");
        assert_eq!(run.attempts().len(), 2);
        assert_eq!(log.len(), if when == "after" { 2 } else { 0 });
        assert!(jobs.health().is_ok(), "no worker has died of it");
        jobs.shutdown().await;
    }
}

tokio::task_local! {
    static TENANT: &'static str;
}

#[tokio::test(start_paused = true)]
async fn it_gives_the_job_a_context_and_has_that_of_the_attempt() {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let seen = Seen::default();
    let (said, with_log) = (seen.clone(), config(&clock).0.state(log.clone()));
    let submitted = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&submitted);
    let with_hooks =
        with_log.middleware(|cx, next| TENANT.scope("acme", next.run(cx))).middleware(move |cx, next| {
            let count = Arc::clone(&count);
            async move {
                // The free functions mean the instance of the attempt, and steer the attempt.
                if cx.job() == "tenant" && count.fetch_add(1, Ordering::SeqCst) == 0 {
                    jobs::now(note("from the middleware")).await?;
                }
                let copy = cx.clone();
                let result = next.run(cx).await;
                assert!(copy.state::<Log>().is_some());
                if result.is_err() { Err(jobs::discard("given up by the middleware").into()) } else { result }
            }
        });
    let other = jobs::start(config(&clock).0).await.unwrap();
    let jobs = jobs::start(with_hooks).await.unwrap();
    let tenant = func("tenant", move || {
        said.add(TENANT.with(|tenant| (*tenant).to_owned()));
        async { Err::<(), _>("no") }
    });
    let outcome = jobs.now(tenant).await.unwrap().wait().await;
    assert_eq!(outcome, Outcome::Discarded("given up by the middleware".into()));
    assert_eq!(seen.take(), ["acme"]);
    clock.advance(SECOND).await;
    assert_eq!(log.tags(), ["from the middleware"]);
    assert!(other.snapshot().job("note").is_none());
}

/// Counts those that are alive.
struct Alive(Arc<AtomicU32>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_dropped_with_the_attempt_and_its_time_counts() {
    let clock = clock("2026-03-02 12:00:00");
    let alive = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&alive);
    let config = config(&clock).0.middleware(move |cx, next| {
        count.fetch_add(1, Ordering::SeqCst);
        let alive = Alive(Arc::clone(&count));
        async move {
            tokio::time::sleep(SECOND * 8).await;
            let result = next.run(cx).await;
            drop(alive);
            result
        }
    });
    let jobs = jobs::start(config).await.unwrap();
    assert_eq!(jobs.now(nap { seconds: 1 }).await.unwrap().wait().await, Outcome::Succeeded);
    assert_eq!(jobs.now(nap { seconds: 3 }).await.unwrap().wait().await, Outcome::TimedOut(SECOND * 10));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let run = jobs.now(nap { seconds: 1 }).await.unwrap();
    clock.advance(SECOND).await;
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    assert!(run.cancel().await);
    assert_eq!(run.wait().await, Outcome::Cancelled);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
