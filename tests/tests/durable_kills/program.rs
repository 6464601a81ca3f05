//! The program that is killed: it submits from several tasks at once, runs what it has submitted, and says of what it was
//! told that it is accepted.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jobs::{BoxError, Config, JobContext, Jobs, StartError, job};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) const MODE: &str = "JOBS_TESTS_KILLS";
pub(crate) const FOLDER: &str = "JOBS_TESTS_KILLS_FOLDER";
pub(crate) const NUMBERS: &str = "JOBS_TESTS_KILLS_NUMBERS";

/// So many submit at once.
const CALLERS: u64 = 8;

/// Where jobs write that they have begun, a line at a time: `JOB RUN PROCESS SLOT`.
#[derive(Debug, Clone)]
struct Diary(Arc<File>);

impl Diary {
    fn begun(&self, cx: &JobContext) {
        let slot = cx.slot().map_or("-".to_owned(), |slot| slot.timestamp_micros().to_string());
        let line = format!("{} {} {} {slot}\n", cx.job(), cx.id(), std::process::id());
        (&*self.0).write_all(line.as_bytes()).unwrap();
    }
}

#[job]
async fn note(#[state] diary: &Diary, cx: &JobContext, number: u64) {
    assert!(number < u64::MAX);
    diary.begun(cx);
}

/// Fails at first.
#[job(retries = 20, backoff = "10ms..20ms")]
async fn flaky(#[state] diary: &Diary, cx: &JobContext) -> Result<(), BoxError> {
    if cx.attempt() == 1 {
        return Err("not yet".into());
    }
    diary.begun(cx);
    Ok(())
}

#[job(every = "100ms")]
async fn tick(#[state] diary: &Diary, cx: &JobContext) {
    diary.begun(cx);
}

/// Opens when the submission of [`poison`] was told.
#[derive(Debug, Clone)]
struct Gate(Arc<Semaphore>);

impl Gate {
    fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

#[job]
async fn poison(#[state] gate: &Gate) {
    let _passed = gate.0.acquire().await;
    std::process::abort();
}

/// What it writes is there once, however often it is tried: it completes its run in the transaction that writes it.
#[job(retries = 20, backoff = "10ms..20ms")]
async fn once(#[state] pool: &SqlitePool, cx: &JobContext, number: u64) -> Result<(), BoxError> {
    have_effect(pool, cx, &format!("number {number}")).await
}

#[job(schedule = "* * * * * *", missed = "all", retries = 20, backoff = "10ms..20ms")]
async fn once_a_second(#[state] pool: &SqlitePool, cx: &JobContext) -> Result<(), BoxError> {
    have_effect(pool, cx, &format!("slot {}", cx.slot().unwrap().timestamp())).await
}

async fn have_effect(pool: &SqlitePool, cx: &JobContext, what: &str) -> Result<(), BoxError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("INSERT INTO effects (what) VALUES (?)").bind(what).execute(&mut *tx).await?;
    cx.complete_in(&mut tx).await?;
    if cx.attempt() == 1 && what.ends_with('7') {
        tx.rollback().await?;
        return Err("not yet".into());
    }
    tx.commit().await?;
    // What comes after the commit counts no more.
    if what.ends_with('3') { Err("too late".into()) } else { Ok(()) }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) async fn start(folder: &Path) -> Result<Jobs, StartError> {
    start_with(folder, Gate(Arc::new(Semaphore::new(1)))).await
}

async fn start_with(folder: &Path, gate: Gate) -> Result<Jobs, StartError> {
    let diary = OpenOptions::new().append(true).create(true).open(folder.join("ran")).unwrap();
    let file = SqliteConnectOptions::new().filename(folder.join("jobs.db")).create_if_missing(true);
    let file = file.journal_mode(SqliteJournalMode::Wal).busy_timeout(Duration::from_secs(30));
    let pool = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(file);
    sqlx::query("CREATE TABLE IF NOT EXISTS effects (what TEXT NOT NULL)").execute(&pool).await.unwrap();
    let config = Config::default()
        .without_environment()
        .store(format!("sqlite:{}", folder.join("jobs.db").display()))
        .retention_count(1_000_000)
        .state(Diary(Arc::new(diary)))
        .state(pool)
        .state(gate);
    jobs::start(config).await
}

/// What the test has started once more.
pub(crate) fn run(mode: &str) {
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let first: u64 = env::var(NUMBERS).unwrap().parse().unwrap();
    runtime().block_on(async {
        println!("starting");
        match mode {
            "submit" => submit(start(&folder).await.unwrap(), first).await,
            "once" => submit_once(start(&folder).await.unwrap(), first).await,
            "poison" => submit_poison(&folder).await,
            _ => resume(&folder).await,
        }
    });
}

/// Until it is killed.
async fn submit(jobs: Jobs, first: u64) {
    println!("started");
    let numbers = Arc::new(AtomicU64::new(first));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (jobs, numbers) = (jobs.clone(), Arc::clone(&numbers));
        callers.spawn(async move {
            loop {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let run = match number % 4 {
                    0 => jobs.now(flaky {}).await,
                    1 => jobs.after(Duration::from_millis(number % 50), note { number }).await,
                    _ => jobs.now(note { number }).await,
                };
                // A line is one write, and what was written outlives the process.
                println!("accepted {}", run.unwrap().id());
            }
        });
    }
    callers.join_next().await.unwrap().unwrap();
}

/// Until it is killed: runs that have their effects once.
async fn submit_once(jobs: Jobs, first: u64) {
    println!("started");
    for number in first.. {
        let run = jobs.now(once { number }).await.unwrap();
        println!("accepted {} {number}", run.id());
    }
}

async fn submit_poison(folder: &Path) {
    let gate = Gate::closed();
    let jobs = start_with(folder, gate.clone()).await.unwrap();
    for number in 0..10 {
        jobs.now(note { number }).await.unwrap();
    }
    jobs.now(poison {}).await.unwrap();
    println!("poison is accepted");
    gate.0.add_permits(1);
    std::future::pending::<()>().await;
}

/// Until everything is done.
async fn resume(folder: &Path) {
    let jobs = start(folder).await.unwrap();
    for run in jobs.runs().limit(1000).list().await {
        jobs.handle(run.id).await.unwrap().wait().await;
    }
    jobs.shutdown().await;
}
