//! What is counted and measured, as an exporter sees it.

mod support;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{BoxError, Config, JobContext, func, job};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use support::{MINUTE, SECOND, clock, config};

/// Everything by its name and labels: the sums of counters, the last of gauges, all values of histograms.
#[derive(Debug, Clone, Default)]
struct Recorded(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

struct One(Recorded, String);

impl One {
    fn with(&self, change: impl FnOnce(&mut Vec<f64>)) {
        change(self.0.0.lock().unwrap().entry(self.1.clone()).or_default());
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.with(|all| *all = vec![all.first().unwrap_or(&0.0) + value as f64]);
    }

    fn absolute(&self, _: u64) {
        unreachable!("not ours")
    }
}

impl GaugeFn for One {
    fn increment(&self, _: f64) {
        unreachable!("not ours")
    }

    fn decrement(&self, _: f64) {
        unreachable!("not ours")
    }

    fn set(&self, value: f64) {
        self.with(|all| *all = vec![value]);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.with(|all| all.push(value));
    }
}

impl Recorded {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(One(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }

    fn get(&self, name: &str) -> Vec<f64> {
        self.0.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

#[job(retries = 2, backoff = "10s")]
async fn fragile(cx: &JobContext) -> Result<(), BoxError> {
    tokio::time::sleep(SECOND * 2).await;
    match cx.attempt() {
        1 => Err("not yet".into()),
        2 => panic!("oh"),
        _ => Ok(()),
    }
}

#[job(retries = 5)]
async fn gives_up(cx: &JobContext) -> Result<(), BoxError> {
    Err(cx.discard("enough").into())
}

fn pool_of_one() -> (Config, jobs::testing::TestClock) {
    let clock = clock("2026-03-02 12:00:00");
    (config(&clock).pool(1), clock)
}

#[tokio::test(start_paused = true)]
async fn attempts_and_failures() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (config, _) = pool_of_one();
    let jobs = jobs::start(config).await.unwrap();
    jobs.now(fragile {}).await.unwrap().wait().await;
    jobs.now(gives_up {}).await.unwrap().wait().await;
    assert_eq!(recorded.get("jobs_attempts_started_total{job=fragile}"), [3.0]);
    for outcome in ["failed", "panicked", "succeeded"] {
        assert_eq!(
            recorded.get(&format!("jobs_attempts_ended_total{{job=fragile,outcome={outcome}}}")),
            [1.0]
        );
    }
    assert_eq!(recorded.get("jobs_failures_total{job=fragile,follows=retry}"), [2.0]);
    assert_eq!(recorded.get("jobs_failures_total{job=gives_up,follows=discarded}"), [1.0]);
    let took = recorded.get("jobs_attempt_duration_seconds{job=fragile}");
    assert!(took.len() == 3 && took.iter().all(|took| (2.0..2.01).contains(took)), "{took:?}");
    assert_eq!(recorded.get("jobs_wait_seconds{job=fragile,queue=default}").len(), 3);
    assert_eq!(recorded.get("jobs_lateness_seconds{job=fragile}"), [0.0; 0], "it is of no slot");
}

#[tokio::test(start_paused = true)]
async fn slots_and_their_lateness() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (config, clock) = pool_of_one();
    let jobs = jobs::start(config).await.unwrap();
    let slow = func("slow", || tokio::time::sleep(Duration::from_secs(150)));
    jobs.schedule("0 * * * * *", slow).await.unwrap();
    clock.advance(MINUTE * 4).await;
    assert_eq!(recorded.get("jobs_slots_total{job=slow,fate=ran}"), [3.0]);
    assert_eq!(recorded.get("jobs_slots_total{job=slow,fate=skipped}"), [1.0]);
    let late: Vec<_> =
        recorded.get("jobs_lateness_seconds{job=slow}").iter().map(|late| late.round()).collect();
    assert_eq!(late, [0.0, 90.0]);
}

#[tokio::test(start_paused = true)]
async fn how_full_the_pool_is_also_while_nothing_moves() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (config, clock) = pool_of_one();
    let jobs = jobs::start(config).await.unwrap();
    let holds = jobs.now(func("holds", pending::<()>)).await.unwrap();
    clock.advance(SECOND).await;
    let full =
        |recorded: &Recorded| (recorded.get("jobs_pool_running{}"), recorded.get("jobs_pool_queued{}"));
    assert_eq!(full(&recorded), (vec![1.0], vec![0.0]));
    for _ in 0..3 {
        jobs.now(func("waits", || async {})).await.unwrap();
    }
    let last = jobs.now(func("waits", || async {})).await.unwrap();
    assert_eq!(full(&recorded), (vec![1.0], vec![4.0]));
    assert!(last.cancel().await);
    assert_eq!(full(&recorded), (vec![1.0], vec![3.0]));
    assert!(holds.cancel().await);
    clock.advance(SECOND).await;
    assert_eq!(full(&recorded), (vec![0.0], vec![0.0]));
}

/// The names are a promise.
#[tokio::test(start_paused = true)]
async fn the_documented_names_and_no_others() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (config, clock) = pool_of_one();
    let test = jobs::testing::start(config).clock(&clock).await;
    test.jobs().now(fragile {}).await.unwrap().wait().await;
    test.jobs().every(MINUTE, func("often", || async {})).await.unwrap();
    test.kill_scheduler();
    test.advance(MINUTE * 2).await;
    let used: std::collections::BTreeSet<_> =
        recorded.names().iter().map(|name| name.split('{').next().unwrap().to_owned()).collect();
    let page = include_str!("../../jobs/src/telemetry/telemetry.md");
    let documented = page
        .split('`')
        .filter(|word| word.starts_with("jobs_") && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    assert_eq!(used, documented.map(str::to_owned).collect());
}
