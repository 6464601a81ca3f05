//! Plain functions on a runtime with few threads for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{Config, Event, Events, JobStatus, Jobs, Outcome, RunChange, RunHandle, RunState, job};
use tokio::sync::Semaphore;

/// Holds the only thread until the test lets it go.
#[job]
fn holds(#[state] gate: &Gate) {
    gate.begun.add_permits(1);
    gate.go.lock().unwrap().recv().expect("the test lets go");
}

/// Where `holds` says that it has the thread, and waits.
struct Gate {
    begun: Arc<Semaphore>,
    go: Mutex<Receiver<()>>,
}

#[job]
async fn passes() {}

#[job]
fn counts(#[state] called: &Arc<AtomicUsize>) {
    called.fetch_add(1, Ordering::SeqCst);
}

#[job(timeout = "1ms", retries = 0)]
fn hurries(#[state] called: &Arc<AtomicUsize>) {
    called.fetch_add(1, Ordering::SeqCst);
}

struct Test {
    jobs: Jobs,
    called: Arc<AtomicUsize>,
    go: Sender<()>,
    events: Events,
}

impl Test {
    async fn start() -> (Self, RunHandle) {
        let (test, begun) = Self::with_pool(5).await;
        let holds = test.jobs.now(holds {}).await.unwrap();
        // That it is claimed does not say that it has the thread.
        begun.acquire().await.unwrap().forget();
        (test, holds)
    }

    /// `holds` says by the permit that it has a thread.
    async fn with_pool(size: i64) -> (Self, Arc<Semaphore>) {
        let (go, gate) = channel();
        let called = Arc::<AtomicUsize>::default();
        let begun = Arc::new(Semaphore::new(0));
        let gate = Gate { begun: Arc::clone(&begun), go: Mutex::new(gate) };
        let config = Config::default().without_environment().pool(size).shutdown_timeout(Duration::ZERO);
        let jobs = jobs::start(config.state(gate).state(Arc::clone(&called))).await.unwrap();
        let events = jobs.events();
        (Self { jobs, called, go, events }, begun)
    }

    /// Waits until the run is claimed.
    async fn started(&mut self, run: &RunHandle) {
        let started = async {
            while let Some(event) = self.events.next().await {
                if let Event::Run(event) = event
                    && event.run == run.id()
                    && matches!(event.what, RunChange::Started { .. })
                {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), started).await.expect("it is claimed");
    }
}

fn on_one_thread(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("in time") });
}

/// It is claimed and waits for a thread: until it has begun, it can be stopped, and its place is free.
#[test]
fn a_plain_function_that_is_cancelled_before_it_has_begun_is_not_called() {
    on_one_thread(async {
        let (mut test, holds) = Test::start().await;
        let cancelled = test.jobs.now(counts {}).await.unwrap();
        test.started(&cancelled).await;
        let other = test.jobs.now(counts {}).await.unwrap();
        test.started(&other).await;
        assert_eq!(test.jobs.snapshot().pool.running, 3, "those that wait for a thread have their places");
        assert!(cancelled.cancel().await);
        assert_eq!(cancelled.wait().await, Outcome::Cancelled, "and nobody has let go");
        assert_eq!(test.jobs.snapshot().pool.running, 2);
        assert!(holds.cancel().await, "it has begun");
        test.go.send(()).unwrap();
        assert_eq!(holds.wait().await, Outcome::Succeeded);
        assert_eq!(other.wait().await, Outcome::Succeeded);
        assert_eq!(test.called.load(Ordering::SeqCst), 1, "the other one alone");
        assert!(test.jobs.shutdown().await.is_clean());
    });
}

/// Its time is up before it has a thread.
#[test]
fn a_plain_function_that_is_out_of_time_before_it_has_begun_is_not_called() {
    on_one_thread(async {
        let (test, holds) = Test::start().await;
        let late = test.jobs.now(hurries {}).await.unwrap();
        assert_eq!(late.wait().await, Outcome::TimedOut(Duration::from_millis(1)));
        test.go.send(()).unwrap();
        assert_eq!(holds.wait().await, Outcome::Succeeded);
        test.jobs.shutdown().await;
        assert_eq!(test.called.load(Ordering::SeqCst), 0);
    });
}

/// The shutdown waits no longer for what runs, and what waits for a thread does not begin any more.
#[test]
fn a_plain_function_that_is_interrupted_before_it_has_begun_is_not_called() {
    on_one_thread(async {
        let (mut test, holds) = Test::start().await;
        let waits = test.jobs.now(counts {}).await.unwrap();
        test.started(&waits).await;
        let report = test.jobs.shutdown().await;
        assert_eq!(waits.wait().await, Outcome::Interrupted);
        assert_eq!((report.interrupted, report.still_running), (1, 1), "{report}");
        assert_eq!(holds.snapshot().unwrap().state, RunState::Running);
        test.go.send(()).unwrap();
        assert_eq!(holds.wait().await, Outcome::Succeeded);
        assert_eq!(test.called.load(Ordering::SeqCst), 0);
    });
}

/// However large the pool, 480 execute at the same time: tokio has 512 threads for them, and the program wants some.
#[test]
fn more_plain_functions_than_threads_wait_in_the_queue_and_hold_up_no_async_job() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let test = async {
        let (test, begun) = Test::with_pool(0).await;
        let mut handles = Vec::new();
        for _ in 0..485 {
            handles.push(test.jobs.now(holds {}).await.unwrap());
        }
        begun.acquire_many(480).await.unwrap().forget();
        // A thread is left for the program, and the pool goes on.
        assert_eq!(tokio::task::spawn_blocking(|| 7).await.unwrap(), 7);
        let other = test.jobs.now(passes {}).await.unwrap();
        assert_eq!(other.wait().await, Outcome::Succeeded);
        let snapshot = test.jobs.snapshot();
        assert_eq!((snapshot.pool.running, snapshot.pool.queued), (480, 5));
        let job = snapshot.jobs.iter().find(|job| job.name == "holds").unwrap();
        assert_eq!((job.running, job.queued, job.status), (480, 5, JobStatus::Running));
        assert_eq!(begun.available_permits(), 0, "no other has begun");
        // Each that ends makes room for one.
        for _ in 0..5 {
            test.go.send(()).unwrap();
            begun.acquire().await.unwrap().forget();
        }
        assert_eq!(test.jobs.snapshot().pool.queued, 0);
        (0..480).for_each(|_| test.go.send(()).unwrap());
        for handle in handles {
            assert_eq!(handle.wait().await, Outcome::Succeeded);
        }
        assert!(test.jobs.shutdown().await.is_clean());
    };
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("in time") });
}
