//! The testing kit on a PostgreSQL server: its clock is the test's.

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::testing::{self, Starting, TestClock, instant};
use jobs::{BoxError, Config, Outcome, RunState, job};
use server::Server;
use sqlx::PgPool;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Who has done what.
#[derive(Debug, Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Debug, Clone)]
struct Process(&'static str);

#[job]
async fn work(#[state] diary: &Diary, #[state] process: &Process, tag: String, seconds: u64) {
    diary.0.lock().unwrap().push(format!("{tag} on {}", process.0));
    tokio::time::sleep(SECOND * u32::try_from(seconds).unwrap()).await;
}

#[job(schedule = "0 0 9 * * MON", name = "weekly")]
async fn weekly(#[state] diary: &Diary) {
    diary.0.lock().unwrap().push("weekly".to_owned());
}

#[job(retries = 2, backoff = "1s..1m")]
async fn fails(attempts: u32) -> Result<u32, BoxError> {
    Err(format!("of {attempts}").into())
}

fn schema() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let schema = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}?schema=kit_{schema}", Server::shared().address("postgres"))
}

fn config(store: &str, diary: &Diary, process: &'static str) -> Config {
    Config::default().without_environment().store(store).state(diary.clone()).state(Process(process))
}

fn starting(store: &str, diary: &Diary, process: &'static str) -> Starting {
    testing::start(config(store, diary, process)).quiet()
}

fn tagged(tag: &str, seconds: u64) -> work {
    work { tag: tag.to_owned(), seconds }
}

#[tokio::test]
async fn a_year_passes() {
    let (store, diary) = (schema(), Diary::default());
    let test = testing::start(config(&store, &diary, "a")).at(instant("2026-01-01 00:00")).await;
    test.advance(365 * DAY).await;
    assert_eq!(diary.take().len(), 52);
    test.assert_ran("weekly", 52);
    let runs = test.runs().job("weekly").list().await;
    assert_eq!(runs[0].submitted_at, instant("2026-12-28 09:00"));
    assert_eq!(runs[0].finished_at, Some(instant("2026-12-28 09:00")));
    // The first are forgotten: a week is kept.
    assert!((1..=2).contains(&runs.len()), "{runs:?}");
    test.finish().await;
}

#[tokio::test]
async fn a_machine_that_has_slept_goes_on() {
    let (store, diary) = (schema(), Diary::default());
    let test = starting(&store, &diary, "a").at(instant("2026-03-02 12:00")).await;
    test.schedule("* * * * * *", tagged("slot", 0)).await.unwrap();
    test.advance(SECOND * 3).await;
    assert_eq!(diary.take().len(), 3);
    test.suspend(SECOND * 3600).await;
    test.settle().await;
    // What is made up for is not asked here.
    diary.take();
    test.advance(SECOND * 10).await;
    assert_eq!(diary.take(), ["slot on a"; 10]);
    assert!(test.health().is_ok(), "{}", test.health());
    test.finish().await;
}

#[tokio::test]
async fn several_processes_are_played_on_one_clock() {
    let (store, diary) = (schema(), Diary::default());
    let one = starting(&store, &diary, "one").await;
    let config = config(&store, &diary, "other").pool(1);
    let other = testing::start(config).clock(one.clock()).quiet().await;
    one.pause("work").await.unwrap();
    one.settle().await;
    assert!(other.job("work").paused);
    other.resume("work").await.unwrap();
    one.settle().await;
    assert!(!one.job("work").paused);

    // One claims what it has room for, and what is cancelled there ends.
    let run = one.jobs().now(tagged("a", 60)).await.unwrap();
    one.settle().await;
    assert!(other.cancel(run.id()).await);
    one.settle().await;
    assert_eq!(one.run(run.id()).await.unwrap().state, RunState::Cancelled);
    assert_eq!(diary.take().len(), 1);

    // What the pool of the one is too small for, the other takes.
    let runs: Vec<_> = (0..12).map(|number| one.jobs().now(tagged(&number.to_string(), 10))).collect();
    for run in runs {
        run.await.unwrap();
    }
    one.advance(SECOND).await;
    let told = diary.take();
    let by_other = told.iter().filter(|line| line.ends_with("on other")).count();
    assert_eq!((told.len(), by_other), (11, 1), "{told:?}");
    assert_eq!((one.job("work").running, other.job("work").queued), (11, 1));

    // Who leaves while it is at work finishes that, and the other goes on alone.
    other.shutdown().await;
    one.idle().await;
    assert_eq!(diary.take().len(), 1);
    let again = one.schedule("*/10 * * * * *", tagged("slot", 0)).await.unwrap();
    one.advance(SECOND * 30).await;
    assert_eq!(diary.take().len(), 3);
    assert!(again.remove().await);
    one.finish().await;
}

#[tokio::test]
async fn what_one_process_leaves_the_next_does() {
    let (store, diary) = (schema(), Diary::default());
    let first = starting(&store, &diary, "first").at(instant("2026-03-02 12:00")).await;
    let later = first.jobs().after(DAY, tagged("later", 0)).await.unwrap();
    let tried = first.jobs().now(fails { attempts: 3 }).await.unwrap();
    first.settle().await;
    let report = first.shutdown().await;
    assert_eq!((report.kept, report.lost), (2, 0));
    assert_eq!(later.wait().await, Outcome::Interrupted);

    let next = starting(&store, &diary, "next").at(instant("2026-03-02 12:30")).await;
    next.settle().await;
    assert_eq!(
        next.run(tried.id()).await.unwrap().state,
        RunState::Scheduled,
        "the second attempt has failed"
    );
    next.advance(DAY).await;
    assert_eq!(next.run(tried.id()).await.unwrap().state, RunState::Dead);
    assert_eq!(diary.take(), ["later on next"]);
    next.finish().await;
}

#[tokio::test]
async fn what_is_held_waits_for_the_test() {
    let (store, diary) = (schema(), Diary::default());
    let test = starting(&store, &diary, "a").hold().await;
    let run = test.jobs().now(tagged("now", 0)).unique().await.unwrap();
    assert!(test.jobs().now(tagged("now", 0)).unique().await.unwrap().is_duplicate());
    test.jobs().after(SECOND * 90, tagged("later", 0)).await.unwrap();
    test.advance(SECOND * 60).await;
    assert_eq!(diary.take(), Vec::<String>::new());
    test.submissions().assert_count_of::<work>(3);
    test.assert_submitted(&tagged("later", 0));
    assert_eq!(test.release().await, 2);
    assert_eq!((diary.take(), run.wait().await), (vec!["now on a".to_owned()], Outcome::Succeeded));
    test.advance(SECOND * 31).await;
    assert_eq!(diary.take(), ["later on a"]);
    test.finish().await;
}

#[tokio::test]
async fn one_attempt_leaves_the_server_alone() {
    let nowhere = Config::default().store("postgres://nobody@127.0.0.1:1/nowhere");
    let attempt = testing::run(fails { attempts: 1 }).config(nowhere).attempt(2).await;
    assert_eq!(attempt.outcome(), &Outcome::Failed("of 1".into()));
    assert!(attempt.retry_in().is_some());
}

#[tokio::test]
async fn time_stands_still_while_a_transaction_of_the_test_goes_on() {
    let (store, diary) = (schema(), Diary::default());
    let test = starting(&store, &diary, "a").await;
    let began = test.now_utc();
    let pool = PgPool::connect_lazy(&Server::shared().address("postgres")).unwrap();
    let run = test
        .still(async {
            let mut tx = pool.begin().await.unwrap();
            let undone = test.jobs().now(tagged("undone", 0)).in_tx(&mut tx).await.unwrap();
            tx.rollback().await.unwrap();
            assert_eq!(undone.wait().await, Outcome::Unknown);
            let mut tx = pool.begin().await.unwrap();
            let run = test.jobs().now(tagged("done", 0)).in_tx(&mut tx).await.unwrap();
            sqlx::query("select pg_sleep(0.1)").execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
            run
        })
        .await;
    assert_eq!(test.now_utc(), began);
    test.settle().await;
    assert_eq!(diary.take(), ["done on a"]);
    assert_eq!(run.wait().await, Outcome::Succeeded);
    test.still(pool.close()).await;
    test.finish().await;
}

#[tokio::test]
async fn a_server_that_is_gone_for_a_while_is_waited_for() {
    let (server, diary) = (Server::start(&[]), Diary::default());
    let test = starting(&server.database(), &diary, "a").await;
    let submitted = test.jobs().now(tagged("before", 0)).await.unwrap();
    assert_eq!(submitted.wait().await, Outcome::Succeeded);
    server.kill();
    // It is on its way before the server is there again.
    let submitting = async { test.jobs().now(tagged("after", 0)).await.unwrap() };
    let (run, ()) = tokio::join!(submitting, async { server.start_again() });
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(diary.take(), ["before on a", "after on a"]);
    test.finish().await;
}

#[tokio::test]
async fn a_schema_is_one_of_tests_or_of_programs() {
    let (diary, clock) = (Diary::default(), TestClock::at(instant("2026-03-02 12:00")));
    let start = |store: &str, clock: Option<&TestClock>| {
        let config = config(store, &diary, "a");
        jobs::start(clock.map_or(config.clone(), |clock| config.clone().clock(clock)))
    };
    let of_tests = schema();
    start(&of_tests, Some(&clock)).await.unwrap().shutdown().await;
    let refused = start(&of_tests, None).await.expect_err("it goes by the server's time").to_string();
    assert!(
        refused.contains("` is one of tests on virtual time, and this program goes by the server's"),
        "{refused}"
    );
    assert!(refused.contains("drop schema"), "{refused}");

    let of_programs = schema();
    start(&of_programs, None).await.unwrap().shutdown().await;
    let refused = start(&of_programs, Some(&clock)).await.expect_err("it goes by its own time").to_string();
    assert!(refused.contains("` goes by the server's time, and this is a test on virtual time"), "{refused}");
    assert!(refused.contains("`?schema=NAME`"), "{refused}");
    start(&of_programs, None).await.unwrap().shutdown().await;
}
