//! Plain functions on a runtime with few threads for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{Config, Event, Events, Jobs, Outcome, RunChange, RunHandle, job};

/// Holds the only thread until the test lets it go.
#[job]
fn holds(#[state] gate: &Mutex<Receiver<()>>) {
    gate.lock().unwrap().recv().expect("the test lets go");
}

#[job]
fn counts(#[state] called: &Arc<AtomicUsize>) {
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
        let (go, gate) = channel();
        let called = Arc::<AtomicUsize>::default();
        let config = Config::default().without_environment().pool(5);
        let jobs = jobs::start(config.state(Mutex::new(gate)).state(Arc::clone(&called))).await.unwrap();
        let events = jobs.events();
        let mut test = Self { jobs, called, go, events };
        let holds = test.jobs.now(holds {}).await.unwrap();
        test.started(&holds).await;
        (test, holds)
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

/// It is claimed and waits for a thread: until it has begun, it can be stopped.
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
        test.go.send(()).unwrap();
        assert_eq!(holds.wait().await, Outcome::Succeeded);
        assert_eq!(cancelled.wait().await, Outcome::Cancelled);
        assert_eq!(other.wait().await, Outcome::Succeeded);
        assert_eq!(test.called.load(Ordering::SeqCst), 1, "the other one alone");
        assert!(test.jobs.shutdown().await.is_clean());
    });
}
