//! Plain functions on virtual time: it stands still beside their work, and passes where they wait for it.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use jobs::{Config, JobContext, Outcome, job, testing};

const SECOND: Duration = Duration::from_secs(1);

#[job(schedule = "0 0 12 * * *")]
async fn lunch() {}

/// Goes on until nobody wants it any more.
#[job(timeout = "3s", retries = 1, backoff = "10s")]
fn asks(cx: &JobContext) -> Result<(), &'static str> {
    if cx.attempt() == 1 {
        while !cx.is_cancelled() {
            std::thread::yield_now();
        }
    } else {
        tokio::runtime::Handle::current().block_on(cx.cancelled());
    }
    Err("nobody wants it")
}

struct Gate(SyncSender<()>);

#[job(timeout = "30s", retries = 0)]
fn held(#[state] gate: &Gate) {
    gate.0.send(()).unwrap();
    gate.0.send(()).unwrap();
}

#[tokio::test]
async fn a_plain_function_that_waits_for_its_timeout_gets_it() {
    let test = testing::start(Config::default().shutdown_timeout(SECOND)).only(["asks"]).await;
    let run = test.now(asks {}).await.unwrap();
    assert_eq!(run.wait().await, Outcome::TimedOut(SECOND * 3));
    let attempts = run.attempts();
    assert_eq!(attempts.len(), 2);
    for attempt in attempts {
        assert_eq!((attempt.finished_at - attempt.started_at).num_seconds(), 3);
    }
    let run = test.now(asks {}).await.unwrap();
    while test.job("asks").running == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(test.shutdown().await.lost, 1, "it has failed, and would be tried again");
    assert_eq!(run.attempts().len(), 1);
}

#[tokio::test]
async fn time_passes_beside_a_plain_function_by_hand() {
    let (gate, go) = sync_channel(0);
    let test = testing::start(Config::default().state(Gate(gate))).only(["held", "lunch"]).await;
    let run = test.now(held {}).await.unwrap();
    while go.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    let before = test.now_utc();
    test.pass(SECOND * 29).await;
    assert!((test.now_utc() - before).num_milliseconds() == 29_000);
    assert_eq!(test.health().to_string(), "ok");
    test.pass(SECOND * 12).await;
    assert!(test.health().to_string().ends_with("of held does not end, for 11s"), "{}", test.health());
    // What is due meanwhile fires at its time, by a second.
    test.pass(SECOND * 12 * 3600).await;
    test.assert_ran("lunch", 1);
    assert_eq!(test.job("lunch").previous.unwrap().outcome, Outcome::Succeeded);
    go.recv().unwrap();
    assert_eq!(run.wait().await, Outcome::TimedOut(SECOND * 30));
}
