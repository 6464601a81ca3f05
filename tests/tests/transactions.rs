//! Submitting in a transaction of the program's own, on SQLite and on PostgreSQL.

#[path = "support/folder.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod folder;
#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use folder::Folder;
use jobs::{BoxError, Config, JobContext, Jobs, Outcome, RunState, func, job};
use server::Server;
use sqlx::{Connection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};

async fn bounded<T>(event: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event.into_future())
        .await
        .expect("it happens within a minute")
}

/// What the runs of a test have done.
#[derive(Debug, Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn notes(&self) -> Vec<String> {
        let mut notes = self.0.lock().unwrap().clone();
        notes.sort();
        notes
    }
}

#[job]
async fn note(#[state] diary: &Diary, text: String) {
    diary.0.lock().unwrap().push(text);
}

#[job(unique)]
async fn index(#[state] diary: &Diary, page: u32) {
    diary.0.lock().unwrap().push(format!("page {page}"));
}

fn text(text: &str) -> note {
    note { text: text.to_owned() }
}

/// A program whose own tables are in the database of the store.
struct Program<DB: sqlx::Database> {
    jobs: Jobs,
    diary: Diary,
    pool: sqlx::Pool<DB>,
    address: String,
    _folder: Option<Folder>,
}

/// The database of the program's tables, where a test has one.
#[derive(Debug, Clone, Default)]
struct Databases {
    postgres: Option<PgPool>,
    sqlite: Option<SqlitePool>,
}

async fn start(address: &str, diary: &Diary) -> Jobs {
    start_beside(address, diary, Databases::default()).await
}

async fn start_beside(address: &str, diary: &Diary, databases: Databases) -> Jobs {
    jobs::start(beside(address, diary, databases)).await.unwrap()
}

fn beside(address: &str, diary: &Diary, databases: Databases) -> Config {
    let config = Config::default().store(address).state(diary.clone()).state(databases);
    config.state(Open::default())
}

/// So long that an attempt is not over before it has done what it is to do, on a machine that is busy.
fn with_timeout(config: Config, job: &str) -> Config {
    config.job(job, |job| job.timeout(Duration::from_secs(5)))
}

async fn on_postgres() -> Program<Postgres> {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let jobs = start(&address, &diary).await;
    let pool = PgPool::connect(&address).await.unwrap();
    sqlx::query("create table orders (id integer primary key)").execute(&pool).await.unwrap();
    Program { jobs, diary, pool, address, _folder: None }
}

async fn on_sqlite() -> Program<Sqlite> {
    let folder = Folder::new();
    let file = folder.path().join("jobs.db");
    let (address, diary) = (folder.sqlite(), Diary::default());
    let jobs = start(&address, &diary).await;
    let pool = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::query("create table orders (id integer primary key)").execute(&pool).await.unwrap();
    Program { jobs, diary, pool, address, _folder: Some(folder) }
}

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

/// What the job that completes its run is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Ends {
    Well,
    /// It commits, and returns an error all the same.
    Badly,
    /// It commits, and goes on until its time is up.
    Never,
    /// It rolls its first attempt back.
    Again,
    /// It rolls back and completes once more.
    Twice,
    /// Somebody has taken its run away.
    Late,
}

/// A job that completes its run in a transaction, and one whose attempts leave their contexts to the next.
macro_rules! completing {
    ($charge:ident, $leaves:ident, $of:ident, $begin:literal) => {
        #[job(retries = 3, backoff = "10ms..20ms")]
        async fn $charge(
            #[state] databases: &Databases,
            #[state] diary: &Diary,
            cx: &JobContext,
            ends: Ends,
        ) -> Result<(), BoxError> {
            let pool = databases.$of.as_ref().unwrap();
            cx.log("charges");
            cx.output(&cx.attempt());
            if ends == Ends::Twice {
                let mut tx = pool.begin_with($begin).await?;
                cx.complete_in(&mut tx).await?;
                tx.rollback().await?;
            }
            let mut tx = pool.begin_with($begin).await?;
            let order = i32::try_from(cx.attempt())?;
            sqlx::query("insert into orders values ($1)").bind(order).execute(&mut *tx).await?;
            if ends == Ends::Late {
                sqlx::query("update jobs.run set claim_no = claim_no + 1").execute(pool).await?;
            }
            match cx.complete_in(&mut tx).await {
                Ok(()) => assert_ne!(ends, Ends::Late),
                Err(error) => {
                    assert!(error.is_lost(), "{error}");
                    diary.0.lock().unwrap().push("lost".to_owned());
                    return Err(error.into());
                }
            }
            let again = cx.complete_in(&mut tx).await.expect_err("it is completed already");
            assert!(again.is_lost(), "{again}");
            if ends == Ends::Again && cx.attempt() == 1 {
                tx.rollback().await?;
                return Err("not yet".into());
            }
            tx.commit().await?;
            diary.0.lock().unwrap().push("charged".to_owned());
            match ends {
                Ends::Badly => Err("too late".into()),
                Ends::Never => std::future::pending().await,
                _ => Ok(()),
            }
        }

        /// As a task that it has spawned would have it.
        #[job(retries = 1, backoff = "10ms..20ms")]
        async fn $leaves(#[state] databases: &Databases, cx: &JobContext) -> Result<(), BoxError> {
            static LEFT: Mutex<Option<JobContext>> = Mutex::new(None);
            let before = LEFT.lock().unwrap().replace(cx.clone());
            let Some(before) = before else { return Err("not yet".into()) };
            let mut tx = databases.$of.as_ref().unwrap().begin_with($begin).await?;
            let error = before.complete_in(&mut tx).await.expect_err("that attempt is over");
            assert!(error.is_lost(), "{error}");
            cx.complete_in(&mut tx).await?;
            tx.commit().await?;
            Ok(())
        }
    };
}
completing!(charge, leaves, postgres, "begin");
completing!(charge_in_file, leaves_in_file, sqlite, "begin immediate");

impl Program<Postgres> {
    fn databases(&self) -> Databases {
        Databases { postgres: Some(self.pool.clone()), sqlite: None }
    }
}

impl Program<Sqlite> {
    fn databases(&self) -> Databases {
        Databases { postgres: None, sqlite: Some(self.pool.clone()) }
    }
}

macro_rules! is_completed_with_what_it_has_written {
    ($program:expr, $charge:ident, [$($ends:ident),*]) => {
        for (ends, order, note) in [
            $((Ends::$ends, if Ends::$ends == Ends::Again { 2 } else { 1 }, "charged"),)*
        ] {
            let program = $program;
            program.jobs.shutdown().await;
            let diary = Diary::default();
            let mut config = beside(&program.address, &diary, program.databases());
            if ends == Ends::Never {
                config = with_timeout(config, stringify!($charge));
            }
            let jobs = jobs::start(config).await.unwrap();
            let run = jobs.now($charge { ends }).await.unwrap();
            assert_eq!(bounded(run.wait()).await, Outcome::Succeeded, "{ends:?}");
            let told = jobs.run(run.id()).await.unwrap();
            assert_eq!((told.state, told.outcome), (RunState::Succeeded, Some(Outcome::Succeeded)), "{ends:?}");
            jobs.shutdown().await;
            let orders = sqlx::query_scalar("select id from orders order by id");
            let orders: Vec<i32> = orders.fetch_all(&program.pool).await.unwrap();
            assert_eq!((orders, diary.notes()), (vec![order], vec![note.to_owned()]), "{ends:?}");
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_completed_with_what_it_has_written() {
    is_completed_with_what_it_has_written!(on_postgres().await, charge, [Well, Badly, Never, Again, Twice]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_a_file_is_completed_with_what_it_has_written() {
    is_completed_with_what_it_has_written!(
        on_sqlite().await,
        charge_in_file,
        [Well, Badly, Never, Again, Twice]
    );
}

/// Transactions that outlive the attempts that have begun them.
#[derive(Debug, Clone, Default)]
struct Open(Arc<Mutex<Vec<Transaction<'static, Postgres>>>>);

#[job(retries = 0)]
async fn leaves_open(
    #[state] databases: &Databases,
    #[state] open: &Open,
    cx: &JobContext,
) -> Result<(), BoxError> {
    let mut tx = databases.postgres.as_ref().unwrap().begin().await?;
    cx.complete_in(&mut tx).await?;
    open.0.lock().unwrap().push(tx);
    Err("not yet".into())
}

/// Whether one commits or not, nobody else waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_outlives_its_attempt_holds_up_no_other_end() {
    let program = on_postgres().await;
    program.jobs.shutdown().await;
    let open = Open::default();
    let config = Config::default().store(&program.address).state(program.diary.clone());
    let jobs = jobs::start(config.state(program.databases()).state(open.clone())).await.unwrap();
    for (commits, outcome) in [(true, Outcome::Succeeded), (false, Outcome::Failed("not yet".into()))] {
        let run = jobs.now(leaves_open {}).await.unwrap();
        let tx = bounded(async {
            loop {
                let tx = open.0.lock().unwrap().pop();
                match tx {
                    Some(tx) => break tx,
                    None => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        for n in 0..3 {
            let other = jobs.now(text(&format!("{n}"))).await.unwrap();
            assert_eq!(bounded(other.wait()).await, Outcome::Succeeded);
        }
        let state =
            sqlx::query_scalar("select state from jobs.run where job = 'leaves_open' and finished is null");
        let states: Vec<String> = state.fetch_all(&program.pool).await.unwrap();
        assert_eq!(states, ["running"]);
        if commits {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        assert_eq!(bounded(run.wait()).await, outcome);
    }
    jobs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_taken_away_is_not_completed() {
    let program = on_postgres().await;
    program.jobs.shutdown().await;
    let diary = Diary::default();
    let jobs = start_beside(&program.address, &diary, program.databases()).await;
    jobs.now(charge { ends: Ends::Late }).await.unwrap();
    bounded(async {
        while diary.notes().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    jobs.shutdown().await;
    let orders: Vec<i32> =
        sqlx::query_scalar("select id from orders").fetch_all(&program.pool).await.unwrap();
    assert_eq!((orders, diary.notes()), (vec![], vec!["lost".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_over_completes_nothing() {
    let program = on_postgres().await;
    program.jobs.shutdown().await;
    let jobs = start_beside(&program.address, &program.diary, program.databases()).await;
    let run = jobs.now(leaves {}).await.unwrap();
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    jobs.shutdown().await;
    let program = on_sqlite().await;
    program.jobs.shutdown().await;
    let jobs = start_beside(&program.address, &program.diary, program.databases()).await;
    let run = jobs.now(leaves_in_file {}).await.unwrap();
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    jobs.shutdown().await;
}

/// What the run has said by then is kept on SQLite.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_completed_run_has_said_outlives_the_process() {
    let program = on_sqlite().await;
    program.jobs.shutdown().await;
    let config = beside(&program.address, &program.diary, program.databases());
    let jobs = jobs::start(with_timeout(config, "charge_in_file")).await.unwrap();
    let run = jobs.now(charge_in_file { ends: Ends::Never }).await.unwrap();
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    jobs.shutdown().await;
    let jobs = start(&program.address, &program.diary).await;
    let told = jobs.run(run.id()).await.unwrap();
    assert_eq!((told.outcome, told.output.as_deref()), (Some(Outcome::Succeeded), Some("1")));
    assert_eq!((told.log.len(), told.arguments.as_deref()), (1, Some(r#"{"ends":"Never"}"#)));
    jobs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_completed_in_another_file() {
    let (one, other) = (on_sqlite().await, on_sqlite().await);
    one.jobs.shutdown().await;
    let jobs = start_beside(&one.address, &one.diary, other.databases()).await;
    let run = jobs.now(charge_in_file { ends: Ends::Well }).await.unwrap();
    let outcome = bounded(run.wait()).await;
    assert!(matches!(&outcome, Outcome::Panicked(why) if why.contains("is not one on")), "{outcome:?}");
    jobs.shutdown().await;
    other.jobs.shutdown().await;
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
