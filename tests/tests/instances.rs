//! Which instance the free functions mean, and how long an instance lives.
//!
//! What is asked of the whole process needs one test at a time.

mod support;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jobs::{Job, JobContext, JobResult, Jobs, Outcome, SubmitError, func, job};
use serde::{Deserialize, Serialize};
use support::{Log, MINUTE, SECOND, clock, config, note};

static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Submits from inside of a job.
#[job]
async fn relay(to: String, spawned: bool) -> Result<(), SubmitError> {
    if spawned {
        #[expect(clippy::disallowed_methods, reason = "a task that the job has let go of")]
        return tokio::spawn(async { jobs::now(note("spawned")).await.map(drop) }).await.unwrap();
    }
    jobs::now(note(to)).await?;
    Ok(())
}

#[job]
fn relay_in_fn(to: String) -> Result<(), SubmitError> {
    jobs::now(note(format!("{to} now"))).blocking()?;
    jobs::after(Duration::ZERO, note(format!("{to} after"))).submit()?;
    Ok(())
}

/// Submits itself until nothing is left.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CountDown(u32);

impl Job for CountDown {
    const NAME: &'static str = "count_down";

    async fn run(self, cx: JobContext) -> JobResult {
        cx.state::<Log>().unwrap().add(self.0.to_string(), &cx);
        if self.0 > 0 {
            jobs::now(CountDown(self.0 - 1)).await?;
        }
        Ok(())
    }
}

async fn started() -> (Jobs, Log, jobs::testing::TestClock) {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    (jobs::start(config(&clock).state(log.clone())).await.unwrap(), log, clock)
}

#[tokio::test(start_paused = true)]
async fn without_an_instance_the_error_says_what_to_do() {
    let _turn = TURN.lock().await;
    for error in [
        jobs::now(note("a")).await.unwrap_err(),
        jobs::now(note("a")).submit().unwrap_err(),
        jobs::after(SECOND, note("a")).await.unwrap_err(),
        jobs::at(support::utc("2026-03-02 12:00:00"), note("a")).blocking().unwrap_err(),
    ] {
        assert!(error.is_not_started());
        assert_eq!(
            error.to_string(),
            "no instance of jobs is running; call `jobs::start(config).await` first"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_only_one_is_meant() {
    let _turn = TURN.lock().await;
    let (jobs, log, clock) = started().await;
    jobs::now(note("now")).await.unwrap();
    jobs::after(SECOND, note("after")).await.unwrap();
    jobs::at(clock.now() + chrono::TimeDelta::seconds(2), note("at")).await.unwrap();
    clock.advance(SECOND * 3).await;
    assert_eq!(log.tags(), ["now", "after", "at"]);
    jobs.shutdown().await;
    assert!(jobs::now(note("a")).await.unwrap_err().is_not_started());
}

#[tokio::test(start_paused = true)]
async fn of_several_the_call_must_say_which() {
    let _turn = TURN.lock().await;
    let (one, one_log, clock) = started().await;
    // Resolved when it is called, not when it is awaited.
    let early = jobs::now(note("early"));
    let (other, other_log, _) = started().await;
    let error = jobs::now(note("a")).await.unwrap_err();
    assert!(error.is_ambiguous());
    assert_eq!(
        error.to_string(),
        "2 instances of jobs are running, and the call does not say which it means; \
         call the method of the handle that `jobs::start` gave, or run the code in `Jobs::scope`"
    );
    early.await.unwrap();
    other.now(note("by handle")).await.unwrap();
    let answer = other.scope(async { jobs::now(note("in scope")).await.map(|_| 7) }).await;
    assert_eq!(answer.unwrap(), 7);
    // The inner scope is the one.
    other.scope(one.scope(async { jobs::now(note("inner")).await.unwrap() })).await;
    clock.advance(SECOND).await;
    assert_eq!(one_log.tags(), ["early", "inner"]);
    assert_eq!(other_log.tags(), ["by handle", "in scope"]);
    other.shutdown().await;
    jobs::now(note("one again")).await.unwrap().wait().await;
    assert_eq!(one_log.tags(), ["one again"]);
    one.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn inside_a_job_its_own_instance_is_meant() {
    let _turn = TURN.lock().await;
    let (one, one_log, _) = started().await;
    let (other, other_log, clock) = started().await;
    for (jobs, name) in [(&one, "one"), (&other, "other")] {
        jobs.now(relay { to: name.into(), spawned: false }).await.unwrap();
        jobs.now(relay_in_fn { to: name.into() }).await.unwrap().wait().await;
        let closure = func("closure", || async { jobs::now(note("closure")).await.map(drop) });
        assert_eq!(jobs.now(closure).await.unwrap().wait().await, Outcome::Succeeded);
        jobs.now(CountDown(3)).await.unwrap();
        // A task that the job spawns is outside of it.
        let spawned = jobs.now(relay { to: String::new(), spawned: true }).await.unwrap().wait().await;
        assert!(spawned.message().unwrap().starts_with("2 instances of jobs are running"), "{spawned}");
        // In the closure's own code, before its future, as well.
        let early = func("early", || jobs::now(note("early")).into_future());
        assert_eq!(jobs.now(early).await.unwrap().wait().await, Outcome::Succeeded);
    }
    clock.advance(SECOND).await;
    for (log, name) in [(one_log, "one"), (other_log, "other")] {
        let mut tags = log.tags();
        tags.sort();
        let (now, after) = (format!("{name} now"), format!("{name} after"));
        let mut wanted = vec![name, &now, &after, "closure", "early", "3", "2", "1", "0"];
        wanted.sort_unstable();
        assert_eq!(tags, wanted);
    }
    one.shutdown().await;
    other.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn after_its_shutdown_an_instance_refuses_everything() {
    let _turn = TURN.lock().await;
    let (jobs, log, clock) = started().await;
    jobs.schedule("* * * * * *", note("a")).await.unwrap();
    jobs.shutdown().await;
    let refused = [
        jobs.now(note("a")).await.unwrap_err(),
        jobs.after(SECOND, note("a")).await.unwrap_err(),
        jobs.at(clock.now(), note("a")).await.unwrap_err(),
        jobs.schedule("@daily", note("a")).await.unwrap_err(),
        jobs.every(MINUTE, note("a")).await.unwrap_err(),
        jobs.run_now("note").await.unwrap_err(),
        jobs.scope(async { jobs::now(note("a")).await.unwrap_err() }).await,
    ];
    for error in refused {
        assert!(error.is_shut_down(), "{error}");
        assert_eq!(error.to_string(), "this instance of jobs has been shut down");
    }
    clock.advance(MINUTE).await;
    assert_eq!(log.len(), 0);
    // It can still be looked at.
    assert!(jobs.snapshot().job("note").is_some());
}

#[test]
fn dropping_the_handles_stops_nothing() {
    let _turn = TURN.blocking_lock();
    // There is no handle to end it by; it ends with the runtime, before the next test has its turn.
    runtime().block_on(async {
        let (jobs, log, clock) = started().await;
        drop(jobs.schedule("* * * * * *", note("a")).await.unwrap());
        drop(jobs.now(note("b")).await.unwrap());
        drop(jobs.clone());
        drop(jobs);
        clock.advance(SECOND * 2).await;
        assert_eq!(log.tags(), ["b", "a", "a"]);
        jobs::now(note("c")).await.unwrap().wait().await;
        assert_eq!(log.tags(), ["c"]);
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// As at the end of a test that forgets it: the instance ends with its runtime.
#[test]
fn an_instance_ends_with_its_runtime() {
    let _turn = TURN.blocking_lock();
    for flavour in ["in between", "at once", "many threads"] {
        let first = match flavour {
            "many threads" => tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap(),
            _ => runtime(),
        };
        let (jobs, running, queued, delayed) = first.block_on(async {
            let log = Log::default();
            let config = jobs::Config::default().without_environment().pool(1).state(log);
            let jobs = jobs::start(config).await.unwrap();
            let running = jobs.now(func("running", pending::<()>)).await.unwrap();
            let queued = jobs.now(note("queued")).await.unwrap();
            let delayed = jobs.after(MINUTE, note("delayed")).await.unwrap();
            if flavour != "at once" {
                while jobs.snapshot().pool.running == 0 {
                    tokio::task::yield_now().await;
                }
            }
            (jobs, running, queued, delayed)
        });
        drop(first);
        runtime().block_on(async {
            let refused = jobs::now(note("a")).await.unwrap_err();
            assert!(refused.is_not_started(), "{flavour}: {refused}");
            assert!(jobs.now(note("a")).await.unwrap_err().is_shut_down(), "{flavour}");
            let patience = SECOND * 60;
            let report = tokio::time::timeout(patience, jobs.shutdown()).await.expect("an end");
            // A worker that went before the instance noticed is not counted.
            assert!(matches!((report.lost, report.interrupted), (3, 0) | (2, 0 | 1)), "{flavour}: {report}");
            for handle in [&queued, &delayed] {
                let outcome = tokio::time::timeout(patience, handle.wait()).await.expect("an outcome");
                assert_eq!(outcome, Outcome::Lost, "{flavour}");
            }
            let outcome = tokio::time::timeout(patience, running.wait()).await.expect("an outcome");
            let wanted = if report.lost == 3 { Outcome::Lost } else { Outcome::Interrupted };
            assert_eq!(outcome, wanted, "{flavour}");
            let pool = jobs.snapshot().pool;
            assert_eq!((pool.running, pool.queued), (0, 0), "{flavour}");
            // A new instance is the only one.
            let (next, log, _) = started().await;
            jobs::now(note("b")).await.unwrap().wait().await;
            assert_eq!(log.tags(), ["b"]);
            next.shutdown().await;
        });
    }
}

/// A pool of connections is closed when the program has shut down, not when the process ends.
#[tokio::test(start_paused = true)]
async fn the_state_is_dropped_with_the_last_handle_after_the_shutdown() {
    let _turn = TURN.lock().await;
    let (clock, connection) = (clock("2026-03-02 12:00:00"), Arc::new(()));
    let jobs =
        jobs::start(config(&clock).state(Arc::clone(&connection)).state(Log::default())).await.unwrap();
    jobs.schedule("* * * * * *", note("a")).await.unwrap();
    clock.advance(SECOND * 5).await;
    let run = jobs.now(note("b")).await.unwrap();
    run.wait().await;
    assert_eq!(jobs.shutdown().await.lost, 0);
    drop((jobs, run));
    clock.advance(SECOND).await;
    assert_eq!(Arc::strong_count(&connection), 1);
}

/// Many instances one after another and side by side, as in the tests of a user.
#[tokio::test(start_paused = true)]
async fn instances_do_not_disturb_each_other() {
    let _turn = TURN.lock().await;
    let mut instances = Vec::new();
    for i in 0..20_u32 {
        let (jobs, log, clock) = started().await;
        jobs.schedule("* * * * * *", note(i.to_string())).await.unwrap();
        instances.push((jobs, log, clock));
    }
    instances[0].2.advance(SECOND).await;
    for (i, (jobs, log, _)) in instances.iter().enumerate() {
        assert_eq!(log.tags(), [i.to_string()]);
        if i % 2 == 0 {
            assert!(jobs.shutdown().await.is_clean());
        }
    }
    instances[0].2.advance(SECOND).await;
    for (i, (jobs, log, _)) in instances.iter().enumerate() {
        assert_eq!(log.len(), i % 2);
        assert!(jobs.shutdown().await.is_clean());
    }
    assert!(jobs::now(note("a")).await.unwrap_err().is_not_started());
}
