//! Start-up jobs: in order, before anything fires, and with a failure that stops the start.

mod support;

use std::sync::atomic::{AtomicU8, Ordering};

use jobs::{BoxError, JobContext, Place, job};
use support::{Log, MINUTE, SECOND, clock, config, note};

/// What the second start-up job is to do.
#[derive(Default)]
struct Mood(AtomicU8);

const FINE: u8 = 0;
const FAILS: u8 = 1;
const PANICS: u8 = 2;
const WAITS: u8 = 3;

impl Mood {
    fn new(mood: u8) -> Self {
        Self(AtomicU8::new(mood))
    }
}

#[job(startup = "blocking", order = 10)]
async fn first(#[state] log: &Log, cx: &JobContext) -> Result<(), BoxError> {
    log.add("first begins", cx);
    tokio::time::sleep(SECOND * 90).await;
    // The free functions work already; delayed runs come due.
    jobs::now(note("from first")).await?.wait().await;
    jobs::after(SECOND, note("later from first")).await?.wait().await;
    log.add("first ends", cx);
    Ok(())
}

#[job(startup = "blocking", order = 20)]
fn second(#[state] log: &Log, #[state] mood: &Mood, cx: &JobContext) -> Result<(), BoxError> {
    log.add("second", cx);
    match mood.0.load(Ordering::SeqCst) {
        FAILS => Err("the migration failed".into()),
        PANICS => panic!("the migration is not there"),
        _ => Ok(()),
    }
}

// Names decide where the order is the same.
#[job(startup = "blocking", order = 30)]
async fn third_b(#[state] log: &Log, cx: &JobContext, #[default = "b"] tag: String) {
    log.add(tag, cx);
}

#[job(startup = "blocking", order = 30)]
async fn third_a(#[state] log: &Log, #[state] mood: &Mood, cx: &JobContext) {
    log.add("a", cx);
    if mood.0.load(Ordering::SeqCst) == WAITS {
        std::future::pending::<()>().await;
    }
}

#[job(startup = "blocking", order = -5)]
async fn zeroth(#[state] log: &Log, cx: &JobContext) {
    log.add("zeroth", cx);
}

#[job(startup = "blocking", enabled = false)]
async fn disabled(#[state] log: &Log, cx: &JobContext) {
    log.add("disabled", cx);
}

/// Begun at start; blocks nothing.
#[job(startup, order = 1)]
async fn beside(#[state] log: &Log, cx: &JobContext) {
    log.add("beside begins", cx);
    tokio::time::sleep(MINUTE).await;
    log.add("beside ends", cx);
}

#[job(startup, schedule = "* * * * * *")]
async fn each_second(#[state] log: &Log, cx: &JobContext) -> Result<(), BoxError> {
    log.add(if cx.slot().is_some() { "slot" } else { "begun" }, cx);
    Err("of no consequence".into())
}

#[job(every = "10s")]
async fn interval(#[state] log: &Log, cx: &JobContext) {
    log.add("interval", cx);
}

fn config_of(mood: u8, clock: &jobs::testing::TestClock) -> (jobs::Config, Log) {
    let log = Log::default();
    let config = config(clock).pool(2).state(log.clone()).state(Mood::new(mood));
    (config, log)
}

#[tokio::test(start_paused = true)]
async fn blocking_ones_run_one_after_another_before_anything_fires() {
    let clock = clock("2026-03-02 12:00:00");
    let (config, log) = config_of(FINE, &clock);
    let jobs = jobs::start(config).await.unwrap();
    let begun = clock.now();
    assert_eq!(
        log.tags(),
        ["zeroth", "first begins", "from first", "later from first", "first ends", "second", "a", "b"]
    );
    assert!((begun - support::utc("2026-03-02 12:01:31")).num_milliseconds() <= 2, "{begun}");
    clock.advance(SECOND * 11).await;
    let entries = log.take();
    let count = |tag: &str| entries.iter().filter(|entry| entry.tag == tag).count();
    // By order, then by name.
    assert_eq!((entries[0].tag.as_str(), entries[1].tag.as_str()), ("begun", "beside begins"));
    assert_eq!((count("slot"), count("interval"), count("beside ends")), (11, 1, 0));
    let first = entries.iter().find(|entry| entry.tag == "slot").unwrap();
    assert_eq!(first.slot, Some(support::utc("2026-03-02 12:01:32")), "slots of before are nobody's");
    let interval = entries.iter().find(|entry| entry.tag == "interval").unwrap();
    assert!((interval.started - begun - chrono::TimeDelta::seconds(10)).num_milliseconds() <= 1);
    clock.advance(MINUTE).await;
    assert!(log.tags().contains(&"beside ends".to_owned()));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_stops_the_start_and_ends_the_instance() {
    for (mood, message) in [
        (FAILS, "the start-up job `second` failed: the migration failed"),
        (PANICS, "the start-up job `second` panicked: the migration is not there"),
    ] {
        let clock = clock("2026-03-02 12:00:00");
        let (config, log) = config_of(mood, &clock);
        let error = jobs::start(config).await.unwrap_err();
        assert_eq!(error.startup_job(), Some("second"));
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.message(), message);
        let Some(Place::Code { file, line }) = problem.place() else { panic!("{error}") };
        assert!(file.ends_with("startup.rs") && *line > 0);
        assert_eq!(error.to_string(), format!("jobs cannot start: {message}\n  --> {file}:{line}"));
        assert_eq!(log.tags().last().unwrap(), "second");
        clock.advance(MINUTE).await;
        assert_eq!(log.len(), 0, "nothing fires");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_given_up_ends_the_instance() {
    let clock = clock("2026-03-02 12:00:00");
    let (config, log) = config_of(WAITS, &clock);
    let config = config.shutdown_timeout(SECOND);
    assert!(tokio::time::timeout(MINUTE * 3, jobs::start(config)).await.is_err());
    assert_eq!(log.tags().last().unwrap(), "a");
    clock.advance(MINUTE * 3).await;
    assert_eq!(log.len(), 0, "neither the other start-up jobs nor schedules");
}

#[tokio::test(start_paused = true)]
async fn a_start_up_job_that_is_disabled_by_the_config_is_left_out() {
    let clock = clock("2026-03-02 12:00:00");
    let (config, log) = config_of(FINE, &clock);
    let config = config
        .job("first", |job| job.enabled(false))
        .job("each_second", |job| job.enabled(false))
        .job("disabled", |job| job.enabled(true));
    let jobs = jobs::start(config).await.unwrap();
    assert_eq!(log.tags(), ["zeroth", "disabled", "second", "a", "b"]);
    clock.advance(SECOND * 5).await;
    assert_eq!(log.tags(), ["beside begins"]);
    jobs.shutdown().await;
}

#[test]
fn outside_of_a_runtime_the_error_says_so() {
    let clock = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { clock("2026-03-02 12:00:00") })
    };
    let (config, _) = config_of(FINE, &clock);
    let mut start = std::pin::pin!(jobs::start(config));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = start.as_mut().poll(&mut cx) else { panic!("no error") };
    assert_eq!(
        error.to_string(),
        "jobs cannot start: `jobs::start` was called outside a tokio runtime\n  \
         help: call it inside `#[tokio::main] async fn main()`, or inside `Runtime::block_on`"
    );
}

#[test]
fn a_runtime_without_timers_is_told_at_the_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(jobs::start(config(&clock("2026-03-02 12:00:00")))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "jobs cannot start: the tokio runtime has no timers, and schedules, delays and shutdown need them\n  \
         help: build it with `Builder::enable_all()`; `enable_time()` is enough for a program without signals"
    );
}
