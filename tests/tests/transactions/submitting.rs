//! Runs that are there if the transaction commits.

use super::completing::{Ends, charge};
use super::*;

/// The same test on both.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test!(super::on_sqlite().await);
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test!(super::on_postgres().await);
            })*
        }
    };
}

macro_rules! the_run_comes_and_goes_with_the_transaction {
    ($program:expr) => {
        use super::*;
        let program = $program;
        let Program { jobs, diary, pool, .. } = &program;
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("insert into orders values (1)").execute(&mut *tx).await.unwrap();
        let undone = jobs.now(text("undone")).in_tx(&mut tx).await.unwrap();
        tx.rollback().await.unwrap();
        undone.wake();
        assert_eq!(bounded(undone.wait()).await, Outcome::Unknown);

        let mut tx = pool.begin().await.unwrap();
        sqlx::query("insert into orders values (1)").execute(&mut *tx).await.unwrap();
        let done = jobs.now(text("done")).in_tx(&mut tx).await.unwrap();
        let later = jobs.after(Duration::from_millis(50), text("later")).in_tx(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        // Nobody is told: it is found.
        assert_eq!(bounded(done.wait()).await, Outcome::Succeeded);
        assert_eq!(bounded(later.wait()).await, Outcome::Succeeded);
        let run = jobs.run(done.id()).await.unwrap();
        assert_eq!(run.arguments.as_deref(), Some(r#"{"text":"done"}"#));
        assert_eq!(diary.notes(), ["done", "later"]);
        assert!(jobs.shutdown().await.is_clean());
    };
}
use the_run_comes_and_goes_with_the_transaction;

macro_rules! a_run_is_cancelled_as_soon_as_it_is_there {
    ($program:expr) => {
        use super::*;
        let program = $program;
        let Program { jobs, diary, pool, .. } = &program;
        jobs.pause_queue("default").await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let run = jobs.now(text("never")).in_tx(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert!(bounded(run.cancel()).await);
        jobs.resume_queue("default").await.unwrap();
        assert_eq!(bounded(run.wait()).await, Outcome::Cancelled);
        assert!(diary.notes().is_empty());
        jobs.shutdown().await;
    };
}
use a_run_is_cancelled_as_soon_as_it_is_there;

macro_rules! a_part_that_is_rolled_back_takes_its_runs_along {
    ($program:expr) => {
        use super::*;
        let program = $program;
        let Program { jobs, diary, pool, .. } = &program;
        let mut tx = pool.begin().await.unwrap();
        let kept = jobs.now(text("kept")).in_tx(&mut tx).await.unwrap();
        sqlx::query("savepoint part").execute(&mut *tx).await.unwrap();
        // A connection that is in a transaction is as good.
        let undone = jobs.now(text("undone")).in_tx(&mut *tx).await.unwrap();
        sqlx::query("rollback to savepoint part").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        kept.wake();
        assert_eq!(bounded(kept.wait()).await, Outcome::Succeeded);
        assert_eq!(bounded(undone.wait()).await, Outcome::Unknown);
        assert_eq!(diary.notes(), ["kept"]);
        jobs.shutdown().await;
    };
}
use a_part_that_is_rolled_back_takes_its_runs_along;

macro_rules! submissions_that_are_one_are_so_in_a_transaction {
    ($program:expr) => {
        use super::*;
        let program = $program;
        let Program { jobs, diary, pool, .. } = &program;
        jobs.pause_queue("default").await.unwrap();
        let live = jobs.now(index { page: 1 }).await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let same = jobs.now(index { page: 1 }).in_tx(&mut tx).await.unwrap();
        assert!(same.is_duplicate() && same.id() == live.id());
        let two = jobs.now(index { page: 2 }).in_tx(&mut tx).await.unwrap();
        let again = jobs.now(index { page: 2 }).in_tx(&mut tx).await.unwrap();
        assert!(!two.is_duplicate() && again.is_duplicate() && again.id() == two.id());
        tx.rollback().await.unwrap();
        // What was rolled back stands for nobody.
        let mut tx = pool.begin().await.unwrap();
        let two = jobs.now(index { page: 2 }).in_tx(&mut tx).await.unwrap();
        assert!(!two.is_duplicate());
        tx.commit().await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let again = jobs.now(index { page: 2 }).in_tx(&mut tx).await.unwrap();
        assert!(again.is_duplicate() && again.id() == two.id());
        tx.commit().await.unwrap();
        two.wake();
        jobs.resume_queue("default").await.unwrap();
        for run in [live, two, again] {
            assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
        }
        assert_eq!(diary.notes(), ["page 1", "page 2"]);
        jobs.shutdown().await;
    };
}
use submissions_that_are_one_are_so_in_a_transaction;

macro_rules! many_are_submitted_together_or_not_at_all {
    ($program:expr) => {
        use super::*;
        let program = $program;
        let Program { jobs, diary, pool, .. } = &program;
        let all =
            |from: u32| (from..from + 2500).map(|n| jobs.now(text(&format!("{n:04}")))).collect::<Vec<_>>();
        let runs = bounded(jobs::submit_many(all(0))).await.unwrap();
        let mut wrong = all(7000);
        wrong.push(jobs.now(text("wrong")).priority(101));
        assert!(bounded(jobs::submit_many(wrong)).await.unwrap_err().is_bad_option());
        let mut tx = pool.begin().await.unwrap();
        let undone = jobs::submit_many(all(8000)).in_tx(&mut tx).await.unwrap();
        assert_eq!(undone.len(), 2500);
        tx.rollback().await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let more = jobs::submit_many(all(3000)).in_tx(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        for run in runs.iter().chain(&more) {
            assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
        }
        assert_eq!(diary.notes(), (0..2500).chain(3000..5500).map(|n| format!("{n:04}")).collect::<Vec<_>>());
        assert!(bounded(jobs::submit_many(Vec::<jobs::Submission<note>>::new())).await.unwrap().is_empty());
        jobs.shutdown().await;
    };
}
use many_are_submitted_together_or_not_at_all;

macro_rules! what_was_committed_outlives_the_process {
    ($program:expr) => {
        use super::*;
        let program = $program;
        let Program { jobs, diary, pool, address, .. } = &program;
        jobs.pause_queue("default").await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let run = jobs.now(text("kept")).in_tx(&mut tx).await.unwrap();
        let one = jobs.now(index { page: 1 }).in_tx(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        jobs.shutdown().await;
        let jobs = start(address, diary).await;
        // It stands for others still.
        let same = jobs.now(index { page: 1 }).await.unwrap();
        assert!(same.is_duplicate() && same.id() == one.id());
        jobs.resume_queue("default").await.unwrap();
        let handle = jobs.handle(run.id()).await.unwrap();
        assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
        assert_eq!(bounded(same.wait()).await, Outcome::Succeeded);
        assert_eq!(diary.notes(), ["kept", "page 1"]);
        jobs.shutdown().await;
    };
}
use what_was_committed_outlives_the_process;

macro_rules! what_does_not_fit_is_refused {
    ($program:expr) => {
        use super::*;
        let program = $program;
        let Program { jobs, pool, .. } = &program;
        let mut tx = pool.begin().await.unwrap();
        let error = jobs.now(func("chime", || async {})).in_tx(&mut tx).await.unwrap_err();
        assert!(error.is_bad_option() && error.to_string().contains("`chime` is a closure"), "{error}");
        let large = "x".repeat(1 << 20);
        let error = jobs.now(text(&large)).in_tx(&mut tx).await.unwrap_err();
        assert!(error.is_bad_arguments(), "{error}");
        let memory = start("memory", &Diary::default()).await;
        let error = memory.now(text("x")).in_tx(&mut tx).await.unwrap_err().to_string();
        assert!(error.contains("the runs are kept in memory"), "{error}");
        memory.shutdown().await;
        jobs.shutdown().await;
        let error = jobs.now(text("x")).in_tx(&mut tx).await.unwrap_err();
        assert!(error.is_shut_down(), "{error}");
    };
}
use what_does_not_fit_is_refused;

on_both!(
    the_run_comes_and_goes_with_the_transaction,
    a_run_is_cancelled_as_soon_as_it_is_there,
    a_part_that_is_rolled_back_takes_its_runs_along,
    submissions_that_are_one_are_so_in_a_transaction,
    many_are_submitted_together_or_not_at_all,
    what_was_committed_outlives_the_process,
    what_does_not_fit_is_refused,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_on_another_database_is_told_of() {
    let one = on_postgres().await;
    let other = PgPool::connect(&Server::shared().database()).await.unwrap();
    let error = one.jobs.now(text("x")).in_tx(&mut other.begin().await.unwrap()).await.unwrap_err();
    assert!(error.is_not_written() && error.to_string().contains("is not one on the database"), "{error}");
    // One that has the tables as well, and one that is a copy.
    let elsewhere = on_postgres().await;
    let name = elsewhere.address.rsplit('/').next().unwrap();
    elsewhere.jobs.shutdown().await;
    one.jobs.shutdown().await;
    one.pool.close().await;
    let (database, copy) = (one.address.rsplit('/').next().unwrap(), format!("{name}_copy"));
    let sql = |sql: String| Server::shared().sql("postgres", &sql);
    // A template must not be in use.
    let sessions = format!("from pg_stat_activity where datname = '{database}'");
    sql(format!("select pg_terminate_backend(pid) {sessions}"));
    while sql(format!("select count(*) {sessions}")) != "0" {
        tokio::task::yield_now().await;
    }
    sql(format!("create database {copy} template {database}"));
    let copied = PgPool::connect(&one.address.replace(database, &copy)).await.unwrap();
    let one = {
        let databases = Databases { postgres: Some(copied.clone()), sqlite: None };
        let jobs = start_beside(&one.address, &one.diary, databases).await;
        Program { jobs, pool: PgPool::connect(&one.address).await.unwrap(), ..one }
    };
    for pool in [&elsewhere.pool, &copied] {
        let error = one.jobs.now(text("x")).in_tx(&mut pool.begin().await.unwrap()).await.unwrap_err();
        assert!(error.is_not_written() && error.to_string().contains("tables of the same names"), "{error}");
    }
    one.jobs.now(text("x")).in_tx(&mut one.pool.begin().await.unwrap()).await.unwrap();
    let run = one.jobs.now(charge { ends: Ends::Well }).await.unwrap();
    let outcome = bounded(run.wait()).await;
    assert!(matches!(&outcome, Outcome::Panicked(why) if why.contains("`jobs.store` names")), "{outcome:?}");
    let two = on_sqlite().await;
    let third = on_sqlite().await;
    let error = two.jobs.now(text("x")).in_tx(&mut third.pool.begin().await.unwrap()).await.unwrap_err();
    assert!(error.is_not_written() && error.to_string().contains("the transaction is not one on"), "{error}");
    let error = two.jobs.now(text("x")).in_tx(&mut one.pool.begin().await.unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("is one of PostgreSQL, and the runs are kept in SQLite"), "{error}");
    for jobs in [one.jobs, two.jobs, third.jobs] {
        jobs.shutdown().await;
    }
}

/// Who submits the same waits for the other transaction, and then knows.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_with_the_same_submission_is_waited_for() {
    let Program { jobs, pool, .. } = on_postgres().await;
    for commits in [true, false] {
        // So that the first is live when the second knows.
        jobs.pause_queue("default").await.unwrap();
        let page = u32::from(commits);
        let mut first: Transaction<'_, Postgres> = pool.begin().await.unwrap();
        let run = jobs.now(index { page }).in_tx(&mut first).await.unwrap();
        let (other_pool, other) = (pool.clone(), jobs.clone());
        let mut waiting = tokio::task::JoinSet::new();
        waiting.spawn(async move {
            let mut tx = other_pool.begin().await.unwrap();
            let run = other.now(index { page }).in_tx(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
            run
        });
        // When somebody waits for it.
        let waits = "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        bounded(async {
            while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&pool).await.unwrap() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        if commits {
            first.commit().await.unwrap()
        } else {
            first.rollback().await.unwrap()
        }
        let second = bounded(waiting.join_next()).await.unwrap().unwrap();
        assert_eq!((second.is_duplicate(), second.id() == run.id()), (commits, commits));
        jobs.resume_queue("default").await.unwrap();
        assert_eq!(bounded(second.wait()).await, Outcome::Succeeded);
    }
    jobs.shutdown().await;
}

/// Whichever of the two is looked at first, the file or the pool: a run that goes from one to the other is in both meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn submissions_are_one_at_the_moment_a_transaction_is_over() {
    let program = on_sqlite().await;
    let Program { jobs, pool, .. } = &program;
    jobs.pause_queue("default").await.unwrap();
    for page in 0..500 {
        let mut tx = pool.begin_with("begin immediate").await.unwrap();
        let first = jobs.now(index { page }).in_tx(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        first.wake();
        for _ in 0..3 {
            let mut tx = pool.begin_with("begin immediate").await.unwrap();
            let same = jobs.now(index { page }).in_tx(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
            assert!(same.is_duplicate() && same.id() == first.id(), "{page}");
        }
    }
    jobs.shutdown().await;
}

#[tokio::test]
async fn a_test_is_told_of_what_is_submitted_in_a_transaction() {
    let folder = Folder::new();
    // On paused time the timeout of a pool would pass, so it is a connection, made before.
    let file = format!("sqlite:{}?mode=rwc", folder.path().join("jobs.db").display());
    let mut connection = SqliteConnection::connect(&file).await.unwrap();
    let config = Config::default()
        .store(folder.sqlite())
        .state(Diary::default())
        .state(Databases::default())
        .state(Open::default());
    let test = jobs::testing::start(config).await;
    let mut tx = connection.begin().await.unwrap();
    test.jobs().now(text("one")).in_tx(&mut tx).await.unwrap();
    let many = ["two", "three"].map(|tag| test.jobs().now(text(tag)));
    jobs::submit_many(many).in_tx(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let told: Vec<_> = test.submitted::<note>().iter().map(|note| note.job.text.clone()).collect();
    assert_eq!(told, ["one", "two", "three"]);
    test.finish().await;
}

#[tokio::test]
async fn a_test_holds_what_is_submitted_in_a_transaction() {
    let folder = Folder::new();
    let file = format!("sqlite:{}?mode=rwc", folder.path().join("jobs.db").display());
    let mut connection = SqliteConnection::connect(&file).await.unwrap();
    let diary = Diary::default();
    let config = Config::default().store(folder.sqlite()).state(diary.clone());
    let config = config.state(Databases::default()).state(Open::default());
    let test = jobs::testing::start(config).hold().await;
    let mut tx = connection.begin().await.unwrap();
    test.jobs().now(text("undone")).in_tx(&mut tx).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    test.jobs().now(text("one")).in_tx(&mut tx).await.unwrap();
    let later = test.jobs().after(Duration::from_secs(60), text("later"));
    jobs::submit_many([test.jobs().now(text("two")), later]).in_tx(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    test.advance(Duration::from_secs(120)).await;
    assert!(diary.notes().is_empty());
    assert_eq!(test.release().await, 3);
    assert_eq!(diary.notes(), ["later", "one", "two"]);
    test.finish().await;
}
