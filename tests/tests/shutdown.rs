//! The end: nothing fires or starts any more, what runs may finish, and the rest is cut off and counted.

mod support;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use jobs::{Config, JobContext, Jobs, Outcome, func, job};
use support::{HOUR, Log, MINUTE, SECOND, clock, config, note};
use tokio::sync::Semaphore;

/// Held until the test lets it go.
#[job]
fn held(#[state] let_go: &LetGo) {
    let_go.begun.add_permits(1);
    while !let_go.go.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

/// Goes on until nobody wants it any more.
#[job]
fn asks(#[state] log: &Log, #[state] let_go: &LetGo, cx: &JobContext) {
    let_go.begun.add_permits(1);
    while !cx.is_cancelled() {
        std::thread::yield_now();
    }
    log.add("asked", cx);
}

#[job]
async fn nap(#[state] log: &Log, cx: &JobContext, seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    log.add(format!("napped {seconds}"), cx);
}

/// What the test and a plain function tell each other.
#[derive(Clone)]
struct LetGo {
    begun: Arc<Semaphore>,
    go: Arc<AtomicBool>,
}

impl LetGo {
    /// Waits until a plain function has its thread: one that has been claimed alone would not begin any more.
    async fn begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    fn go(&self) {
        self.go.store(true, Ordering::SeqCst);
    }
}

async fn started(say: impl FnOnce(Config) -> Config) -> (Jobs, Log, LetGo, jobs::testing::TestClock) {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let let_go = LetGo { begun: Arc::new(Semaphore::new(0)), go: Arc::default() };
    let config = config(&clock).pool(3).state(log.clone()).state(let_go.clone());
    (jobs::start(say(config)).await.unwrap(), log, let_go, clock)
}

async fn until_running(jobs: &Jobs, count: usize) {
    while jobs.snapshot().pool.running < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_nothing_to_do_it_is_done_at_once() {
    let (jobs, _, _, clock) = started(|config| config).await;
    let report = jobs.shutdown().await;
    assert!(report.is_clean());
    assert_eq!(report.to_string(), "everything was done");
    assert!(clock.now() - support::utc("2026-03-02 12:00:00") < chrono::TimeDelta::milliseconds(2));
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_finish_and_nothing_else_starts() {
    let (jobs, log, _, clock) = started(|config| config.shutdown_timeout(MINUTE)).await;
    for seconds in [10, 20, 30] {
        jobs.now(nap { seconds }).await.unwrap();
    }
    let queued = jobs.now(nap { seconds: 1 }).await.unwrap();
    let delayed = jobs.after(SECOND * 5, note("delayed")).await.unwrap();
    jobs.schedule("* * * * * *", note("slot")).await.unwrap();
    clock.advance(Duration::from_millis(100)).await;
    let begun = clock.now();
    let report = jobs.shutdown().await;
    assert_eq!((clock.now() - begun).num_seconds(), 29, "until the last has finished, and no longer");
    assert_eq!((report.interrupted, report.still_running, report.lost), (0, 0, 2));
    assert_eq!(report.to_string(), "0 interrupted, 0 still running, 2 lost while they waited");
    assert!(!report.is_clean());
    assert_eq!(log.tags(), ["napped 10", "napped 20", "napped 30"]);
    assert_eq!((queued.wait().await, delayed.wait().await), (Outcome::Lost, Outcome::Lost));
    clock.advance(HOUR).await;
    assert_eq!(log.len(), 0);
    let pool = jobs.snapshot().pool;
    assert_eq!((pool.running, pool.queued), (0, 0));
    // Again: the same report.
    assert_eq!(jobs.shutdown().await, report);
    assert_eq!(jobs.run_until_signal().await, report);
    jobs.shutdown_signal().await;
}

#[tokio::test(start_paused = true)]
async fn after_the_timeout_async_runs_are_dropped_and_sync_ones_go_on() {
    let (jobs, log, let_go, clock) = started(|config| config).await;
    let napping = jobs.now(nap { seconds: 3600 }).await.unwrap();
    let done = jobs.now(nap { seconds: 29 }).await.unwrap();
    let holding = jobs.now(held {}).await.unwrap();
    let queued = jobs.now(note("queued")).await.unwrap();
    until_running(&jobs, 3).await;
    let_go.begun().await;
    let ending = jobs.clone();
    // A blocking thread keeps virtual time still: let it pass by hand.
    let report = tokio::join!(ending.shutdown(), async {
        for _ in 0..40 {
            tokio::time::advance(SECOND).await;
            tokio::task::yield_now().await;
        }
    })
    .0;
    assert_eq!((report.interrupted, report.still_running, report.lost), (1, 1, 1), "{report}");
    assert_eq!(napping.wait().await, Outcome::Interrupted);
    assert_eq!((done.wait().await, queued.wait().await), (Outcome::Succeeded, Outcome::Lost));
    assert_eq!(log.tags(), ["napped 29"]);
    // The plain function ends in its own time and is accounted for.
    assert_eq!(jobs.snapshot().job("held").unwrap().running, 1);
    let_go.go();
    assert_eq!(holding.wait().await, Outcome::Succeeded);
    assert_eq!(jobs.snapshot().pool.running, 0);
    clock.advance(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_zero_waits_for_nobody() {
    let (jobs, log, _, clock) = started(|config| config.shutdown_timeout(Duration::ZERO)).await;
    jobs.now(nap { seconds: 1 }).await.unwrap();
    clock.advance(Duration::from_millis(100)).await;
    let before = clock.now();
    let report = jobs.shutdown().await;
    assert_eq!((report.interrupted, report.lost), (1, 0));
    assert!((clock.now() - before).num_milliseconds() <= 2);
    clock.advance(MINUTE).await;
    assert_eq!(log.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_thirty_seconds_by_default() {
    let (jobs, _, _, clock) = started(|config| config).await;
    jobs.now(func("for_ever", pending::<()>)).await.unwrap();
    clock.advance(SECOND).await;
    let before = clock.now();
    assert_eq!(jobs.shutdown().await.interrupted, 1);
    assert_eq!((clock.now() - before).num_seconds(), 30);
}

#[tokio::test(start_paused = true)]
async fn submissions_are_refused_from_the_first_moment() {
    let (jobs, log, _, clock) = started(|config| config).await;
    let refused = Arc::new(AtomicBool::new(false));
    let (handle, flag) = (jobs.clone(), Arc::clone(&refused));
    let busy = func("busy", move || {
        let (jobs, flag) = (handle.clone(), Arc::clone(&flag));
        async move {
            tokio::time::sleep(SECOND * 5).await;
            let by_handle = jobs.now(note("a")).await.unwrap_err();
            let by_function = jobs::now(note("a")).await.unwrap_err();
            flag.store(by_handle.is_shut_down() && by_function.is_shut_down(), Ordering::SeqCst);
        }
    });
    jobs.now(busy).await.unwrap();
    clock.advance(SECOND).await;
    let mut ending = Box::pin(jobs.shutdown());
    assert!(tokio::time::timeout(Duration::from_nanos(1), &mut ending).await.is_err());
    assert!(jobs.now(note("a")).await.unwrap_err().is_shut_down());
    assert!(jobs.pause("busy").await.unwrap_err().is_shut_down());
    assert!(ending.await.is_clean());
    assert!(jobs.run_now("busy").await.unwrap_err().is_shut_down());
    assert!(jobs.pause("busy").await.unwrap_err().is_shut_down());
    assert!(jobs.resume("busy").await.unwrap_err().is_shut_down());
    assert!(jobs.remove("busy").await.unwrap_err().is_shut_down());
    assert!(refused.load(Ordering::SeqCst), "also inside of a job that still runs");
    assert_eq!(log.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_when_nobody_waits_for_it_and_all_who_wait_are_told() {
    let (jobs, log, _, clock) = started(|config| config).await;
    jobs.now(nap { seconds: 10 }).await.unwrap();
    jobs.after(MINUTE, note("delayed")).await.unwrap();
    clock.advance(SECOND).await;
    assert!(tokio::time::timeout(SECOND, jobs.shutdown()).await.is_err());
    let (one, other) = (jobs.clone(), jobs.clone());
    let (one, other, ()) = tokio::join!(one.shutdown(), other.shutdown(), jobs.shutdown_signal());
    assert_eq!((one.lost, other.lost, log.tags()), (1, 1, vec!["napped 10".to_owned()]));
    clock.advance(MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_predecessor_is_lost() {
    let (jobs, _, _, clock) = started(|config| config).await;
    let begun = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&begun);
    let slow = func("slow", move || {
        count.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(SECOND * 20)
    });
    jobs.schedule("*/5 * * * * *", slow).await.unwrap();
    clock.advance(SECOND * 11).await;
    assert_eq!(jobs.snapshot().job("slow").unwrap().waiting, 1);
    let report = jobs.shutdown().await;
    assert_eq!((report.interrupted, report.still_running, report.lost), (0, 0, 1));
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    assert_eq!(jobs.snapshot().job("slow").unwrap().waiting, 0);
}

/// A job that shuts its own instance down waits for itself, until the timeout.
#[tokio::test(start_paused = true)]
async fn a_job_can_begin_the_shutdown_of_its_own_instance() {
    let (jobs, _, _, clock) = started(|config| config.shutdown_timeout(SECOND * 3)).await;
    let handle = jobs.clone();
    let suicide = func("suicide", move || {
        let jobs = handle.clone();
        async move {
            jobs.shutdown().await;
        }
    });
    let run = jobs.now(suicide).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Interrupted);
    assert_eq!(jobs.shutdown().await.interrupted, 1);
    clock.advance(SECOND).await;
}

/// A plain function cannot be stopped, but it can ask.
#[tokio::test(start_paused = true)]
async fn a_plain_function_that_asks_ends_with_the_patience() {
    let (jobs, log, let_go, clock) = started(|config| config.shutdown_timeout(SECOND * 3)).await;
    let run = jobs.now(asks {}).await.unwrap();
    let_go.begun().await;
    let before = clock.now();
    // Time passes when it asks.
    let report = jobs.shutdown().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((clock.now() - before).num_seconds(), 3);
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(log.tags(), ["asked"]);
}

#[job(retries = 5, backoff = "5s")]
async fn fails_slowly(seconds: u64) -> Result<(), &'static str> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Err("no")
}

/// Runs in every state at once: what executes may finish, async ones are cut off, plain functions go on, and whatever
/// waits, be it for its time, for room, for its predecessor or for its next attempt, is lost.
#[tokio::test(start_paused = true)]
async fn the_order_with_runs_in_every_state() {
    let (jobs, _, let_go, _) = started(|config| config.pool(5)).await;
    let slots = func("slots", || tokio::time::sleep(HOUR));
    jobs.schedule("* * * * * *", slots).await.unwrap();
    let retrying = jobs.now(fails_slowly { seconds: 0 }).await.unwrap();
    let failing = jobs.now(fails_slowly { seconds: 20 }).await.unwrap();
    let finishing = jobs.now(nap { seconds: 10 }).await.unwrap();
    tokio::time::sleep(SECOND * 3).await;
    assert_eq!(jobs.snapshot().job("slots").unwrap().waiting, 1);
    assert_eq!(retrying.attempts().len(), 1);
    let holding = jobs.now(held {}).await.unwrap();
    let napping = jobs.now(nap { seconds: 3600 }).await.unwrap();
    until_running(&jobs, 5).await;
    let_go.begun().await;
    let queued = jobs.now(note("queued")).await.unwrap();
    let delayed = jobs.after(SECOND * 5, note("delayed")).await.unwrap();
    let mut events = jobs.events();
    let ending = jobs.clone();
    let report = tokio::join!(ending.shutdown(), async {
        for _ in 0..33 {
            tokio::time::advance(SECOND).await;
            tokio::task::yield_now().await;
        }
    })
    .0;
    // The two that were cut off: the nap and the run of a slot. Lost: the buffered slot, the two that are to be tried again, the
    // queued and the delayed one.
    assert_eq!((report.interrupted, report.still_running, report.lost), (2, 1, 5), "{report}");
    assert_eq!(finishing.wait().await, Outcome::Succeeded);
    assert_eq!(napping.wait().await, Outcome::Interrupted);
    for lost in [&retrying, &failing, &queued, &delayed] {
        assert_eq!(lost.wait().await, Outcome::Lost);
    }
    assert_eq!((retrying.attempts().len(), failing.attempts().len()), (1, 1), "nothing was tried again");
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).map(|event| event.to_string()).collect();
    let at = |what: &str| {
        told.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {told:#?}"))
    };
    let order = [
        "shutdown begun",
        "of nap: succeeded",
        "of fails_slowly: attempt 1 failed",
        "cuts off",
        "of nap: interrupted",
    ];
    let order = order.into_iter().chain(["of note: lost", "shutdown ended"]).map(at);
    assert!(order.is_sorted(), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("started")), "{told:#?}");
    let_go.go();
    assert_eq!(holding.wait().await, Outcome::Succeeded);
}

#[test]
fn signals_can_be_waited_for_from_outside_of_the_runtime_and_without_its_io() {
    for io in [true, false] {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time();
        if io {
            runtime.enable_io();
        }
        let runtime = runtime.build().unwrap();
        let (jobs, ..) = runtime.block_on(started(|config| config));
        let signal = jobs.shutdown_signal();
        assert!(runtime.block_on(jobs.shutdown()).is_clean());
        runtime.block_on(signal);
    }
}

/// A log that panics, as one may whose output is gone.
struct Broken;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Broken {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        panic!("no log");
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_although_the_log_panics() {
    use tracing_subscriber::layer::SubscriberExt as _;

    let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(Broken));
    let (jobs, _, _, clock) = started(|config| config).await;
    jobs.after(HOUR, note("lost")).await.unwrap();
    clock.advance(SECOND).await;
    let report = tokio::time::timeout(MINUTE, jobs.shutdown()).await.expect("it ends");
    assert_eq!(report.lost, 1);
}
