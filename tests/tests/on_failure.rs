//! What an error tracker is told.

mod support;

use std::fmt;
use std::sync::{Arc, Mutex};

use jobs::{BoxError, Config, Failure, Follows, JobContext, Outcome, ShutdownPhase, func, job};
use support::{Log, SECOND, clock, config, utc};

type Told = Arc<Mutex<Vec<String>>>;

fn take(told: &Told) -> Vec<String> {
    std::mem::take(&mut told.lock().unwrap())
}

fn telling(config: Config, told: &Told, what: impl Fn(&Failure) -> String + Send + Sync + 'static) -> Config {
    let told = Arc::clone(told);
    config.on_failure(move |failure| told.lock().unwrap().push(what(failure)))
}

/// An error of a type of its own, with a source.
#[derive(Debug)]
struct MailError(std::io::Error);

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no mail")
    }
}

impl std::error::Error for MailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[job(retries = 1, backoff = "10s..10s")]
async fn mail() -> Result<(), MailError> {
    Err(MailError(std::io::Error::other("no route")))
}

#[job(retries = 0)]
fn breaks() {
    panic!("out of tea");
}

#[job(retries = 3, timeout = "5s")]
async fn slow(cx: &JobContext) -> Result<(), BoxError> {
    if cx.attempt() == 2 {
        return Err(cx.discard("enough").into());
    }
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn every_failure_is_told_with_what_follows() {
    let (clock, told) = (clock("2026-03-02 12:00:00"), Told::default());
    let jobs = jobs::start(telling(config(&clock), &told, ToString::to_string)).await.unwrap();
    jobs.now(mail {}).await.unwrap().wait().await;
    let lines = take(&told);
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with(
            "attempt 1 of 2 of mail failed: no mail: no route; tried again at 2026-03-02 12:00:"
        )
    );
    assert_eq!(lines[1], "attempt 2 of 2 of mail failed: no mail: no route; not tried again");
    jobs.now(breaks {}).await.unwrap().wait().await;
    assert_eq!(take(&told), ["attempt 1 of 1 of breaks panicked: out of tea; not tried again"]);
    jobs.now(slow {}).await.unwrap().wait().await;
    let lines = take(&told);
    assert!(lines[0].starts_with("attempt 1 of 4 of slow timed out after 5s; tried again at "), "{lines:?}");
    assert_eq!(lines[1], "attempt 2 of 4 of slow failed: discarded: enough; discarded: enough");
    assert_eq!(lines.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_has_the_error_itself_and_the_place_of_a_panic() {
    let (clock, told) = (clock("2026-03-02 12:00:00"), Told::default());
    let what = |failure: &Failure| {
        let source = failure
            .error()
            .and_then(|error| error.downcast_ref::<MailError>())
            .map(|error| error.0.to_string());
        let backtrace = failure.backtrace().is_some();
        let place = failure.panic_location().map(|place| place.contains("on_failure.rs:"));
        format!("{} {source:?} {place:?} {backtrace} {:?}", failure.job(), failure.outcome().message())
    };
    let jobs = jobs::start(telling(config(&clock), &told, what)).await.unwrap();
    jobs.now(mail {}).await.unwrap().wait().await;
    jobs.now(breaks {}).await.unwrap().wait().await;
    let expected = r#"mail Some("no route") None false Some("no mail: no route")"#;
    assert_eq!(take(&told), [expected, expected, r#"breaks None Some(true) true Some("out of tea")"#]);
}

#[tokio::test(start_paused = true)]
async fn it_has_the_times_and_the_run() {
    let (clock, told) = (clock("2026-03-02 12:00:00"), Told::default());
    let what = |failure: &Failure| {
        let times = [failure.slot().unwrap(), failure.started_at(), failure.failed_at()];
        assert!(matches!(failure.follows(), Follows::Dead));
        format!("{} {} of {}: {times:?}", failure.run(), failure.attempt(), failure.of())
    };
    let jobs = jobs::start(telling(config(&clock), &told, what)).await.unwrap();
    let late = func("late", || async {
        tokio::time::sleep(SECOND * 2).await;
        Err::<(), _>("late")
    });
    jobs.schedule("0 1 12 * * *", late).await.unwrap();
    clock.advance(SECOND * 90).await;
    let run = jobs.snapshot().job("late").unwrap().previous.clone().unwrap();
    let times = [utc("2026-03-02 12:01:00"), run.started_at, run.finished_at];
    assert_eq!((run.finished_at - run.started_at).num_seconds(), 2);
    assert_eq!(take(&told), [format!("{} 1 of 1: {times:?}", run.id)]);
}

#[tokio::test(start_paused = true)]
async fn success_and_cancellation_and_interruption_are_no_failures() {
    let (clock, told) = (clock("2026-03-02 12:00:00"), Told::default());
    let jobs = jobs::start(telling(config(&clock).shutdown_timeout(SECOND), &told, ToString::to_string))
        .await
        .unwrap();
    jobs.now(func("fine", || async {})).await.unwrap().wait().await;
    let run = jobs.now(func("long", std::future::pending::<()>)).await.unwrap();
    clock.advance(SECOND).await;
    run.cancel().await;
    assert_eq!(run.wait().await, Outcome::Cancelled);
    let run = jobs.now(func("long", std::future::pending::<()>)).await.unwrap();
    clock.advance(SECOND).await;
    jobs.shutdown().await;
    assert_eq!((run.wait().await, take(&told)), (Outcome::Interrupted, vec![]));
}

#[tokio::test(start_paused = true)]
async fn its_own_panic_has_no_consequence() {
    let (clock, told, log) = (clock("2026-03-02 12:00:00"), Told::default(), Log::default());
    let config =
        config(&clock).pool(1).state(log.clone()).on_failure(|failure| panic!("cannot take {failure}"));
    let jobs = jobs::start(telling(config, &told, |failure| failure.job().to_owned())).await.unwrap();
    let run = jobs.now(mail {}).await.unwrap();
    jobs.now(support::note("next")).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Failed("no mail: no route".into()));
    assert_eq!(run.attempts().len(), 2, "it was tried again");
    assert_eq!(take(&told), ["mail", "mail"], "the one after it is called");
    assert_eq!(log.tags(), ["next"]);
    assert!(jobs.health().is_ok());
}

/// By the time that it is called, a worker that claims at once would have the next run in its hands.
#[tokio::test(start_paused = true)]
async fn what_it_says_is_not_for_the_run_after() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock).pool(1).on_failure(|_| {
        jobs::log("reported");
        jobs::progress(1, 2);
        let _ = jobs::discard("reported");
    });
    let jobs = jobs::start(config).await.unwrap();
    let fails = || jobs.now(func("fails", || async { Err::<(), _>("no") })).retries(0);
    let (first, next) = (fails().await.unwrap(), fails().await.unwrap());
    assert_eq!(first.wait().await, Outcome::Failed("no".into()));
    assert_eq!(next.wait().await, Outcome::Failed("no".into()));
    assert_eq!((next.log(), next.progress()), (vec![], None));
}

/// One worker tells of a failure for as long as the test wants.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_run_waits_for_it_that_another_worker_could_start_and_shutdown_does() {
    let (entered, mut has_entered) = tokio::sync::mpsc::unbounded_channel();
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let (held, told) = (Mutex::new(held), Told::default());
    let told_here = Arc::clone(&told);
    let config = Config::default()
        .without_environment()
        .pool(2)
        .shutdown_timeout(std::time::Duration::from_millis(20))
        .on_failure(move |failure| {
            entered.send(()).unwrap();
            held.lock().unwrap().recv().unwrap();
            told_here.lock().unwrap().push(failure.job().to_owned());
        });
    let jobs = jobs::start(config).await.unwrap();
    let mut events = jobs.events();
    jobs.now(func("fails", || async { Err::<(), _>("no") })).retries(0).await.unwrap();
    has_entered.recv().await.unwrap();
    for _ in 0..20 {
        let next = jobs.now(func("next", || async {})).await.unwrap();
        assert_eq!(next.wait().await, Outcome::Succeeded);
    }
    let phases = async {
        let mut phases = Vec::new();
        while phases.len() < 2 {
            if let jobs::Event::Shutdown { phase, .. } = events.next().await.unwrap() {
                phases.push(phase);
            }
        }
        let_go.send(()).unwrap();
        phases
    };
    let (report, phases) = tokio::join!(jobs.shutdown(), phases);
    assert_eq!(phases, [ShutdownPhase::Begun, ShutdownPhase::CutOff], "it waits for what is told");
    assert!(report.is_clean(), "the run itself was over");
    assert_eq!(take(&told), ["fails"]);
}
