//! Submitting in a transaction of the program's own, and completing a run in one, on SQLite and on PostgreSQL.

#[path = "../support/folder.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod folder;
#[path = "../../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

mod completing;
mod submitting;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use completing::Open;
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
