//! The statements against a real server, each test in a database of its own.

mod claiming;
mod cutting;
mod families;
mod faults;
mod hot;
mod limits;
mod lost_nodes;
mod measuring;
mod migrating;
mod nodes;
mod old_transactions;
mod outages;
mod program;
mod pruning;
mod reading;
mod registering;
#[path = "../../../../../tests/support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod slots;
mod steering;
mod submitting;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

use super::address::Address;
use super::claim::{Claimed, Lanes, Wanted};
use super::db::Db;
use super::end::{End, Fence, Follows};
use super::id::Id;
use super::look::{Asked, Look, Page};
use super::migrations::migrate;
use super::nodes::GAP;
use super::schema::Schema;
use super::submit::NewRun;
use crate::clock::Clock;
use server::Server;

/// A database with our tables in it.
async fn db() -> Db {
    let db = Db::new(pool(&Server::shared().quick_database(), 8), Schema::default());
    migrate(&db.pool, &db.schema, false).await.unwrap();
    db.know_jobs(&["mail".into(), "sweep".into(), "report".into()]).await.unwrap();
    db
}

fn pool(address: &str, connections: u32) -> PgPool {
    // Tests may take their time.
    let options = Address::parse(address).unwrap().planned().options([("statement_timeout", "0")]);
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(30));
    pool.connect_lazy_with(options)
}

impl Db {
    /// Runs SQL of a test's.
    async fn run_sql(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap().rows_affected()
    }

    /// A number or a text that SQL of a test's gives.
    async fn text(&self, sql: &str) -> String {
        let sql =
            AssertSqlSafe(format!("select coalesce(string_agg(t::text, ','), '') from ({sql}) as x (t)"));
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// The same by one connection, which is all that statistics tell of.
    async fn alone(&self) -> Self {
        let address = Server::shared().address(&self.text("select current_database()").await);
        Self::new(pool(&address, 1), self.schema.clone())
    }

    /// A number of the server's statistics, with all that [one connection](Self::alone) has done until now.
    async fn told(&self, sql: &str) -> i64 {
        self.run_sql("select pg_stat_force_next_flush()").await;
        self.text(sql).await.parse().unwrap()
    }

    /// A transaction of somebody else's, who takes his time.
    async fn hold(&self) -> sqlx::Transaction<'static, sqlx::Postgres> {
        self.pool.begin_with("begin; set local idle_in_transaction_session_timeout = 0").await.unwrap()
    }

    async fn state(&self, id: Id) -> String {
        sqlx::query_scalar("select state from jobs.run where id = $1")
            .bind(id)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Claims of the jobs that the tests know, by a node that is there.
    async fn take(&self, node: Id, count: usize) -> Vec<Claimed> {
        self.is_there(node).await;
        let jobs = ["mail".to_owned(), "sweep".to_owned(), "report".to_owned()];
        self.claim(Wanted { node, count, jobs: &jobs, queues: &[], oldest: false, unseen: false })
            .await
            .unwrap()
    }

    async fn is_there(&self, node: Id) {
        let there = "insert into jobs.node (id, name) values ($1, 'test') on conflict (id) do nothing";
        sqlx::query(self.sql(there)).bind(node).execute(&self.pool).await.unwrap();
    }

    /// How things stand for a node that knows one job.
    async fn look_at(&self, node: Id) -> Look {
        let (jobs, page) = (["mail".to_owned()], Page::default());
        let claimed = Some(&page);
        let asked = Asked { node, jobs: &jobs, whole: true, claimed, cancelled: &page, most: 1000 };
        self.look(asked).await.unwrap()
    }

    /// Where a node is that has just claimed these.
    async fn lanes_behind(&self, wanted: Wanted<'_>, claimed: &[Claimed]) -> Lanes {
        let mut lanes = Lanes::default();
        lanes.move_on(claimed);
        lanes.go_to(self.lanes(wanted).await.unwrap());
        lanes
    }

    async fn joined(&self, id: u128) -> Id {
        self.join(Id(id), "test", None).await.unwrap();
        Id(id)
    }
}

fn clock() -> Arc<Clock> {
    Arc::new(Clock::system())
}

/// The next identity: greater than those before.
fn id() -> Id {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Id(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

fn mail() -> NewRun {
    run_of("mail")
}

fn run_of(job: &str) -> NewRun {
    NewRun {
        id: id(),
        job: job.to_owned(),
        queue: "default".to_owned(),
        priority: 0,
        due: None,
        retries: 20,
        origin: "submission",
        unique: None,
        retry_of: None,
        args: "{}".to_owned(),
        record: None,
    }
}

fn end_of(claimed: &Claimed, follows: Follows) -> End {
    let outcome = if follows == Follows::End("succeeded") { "succeeded" } else { "failed" };
    End {
        fence: fence_of(claimed),
        slot_of: claimed.slot.map(|_| claimed.job.clone()),
        follows,
        started: claimed.due,
        finished: claimed.due,
        outcome,
        message: None,
        record: None,
    }
}

fn success_of(claimed: &Claimed) -> End {
    end_of(claimed, Follows::End("succeeded"))
}

fn fence_of(claimed: &Claimed) -> Fence {
    Fence { id: claimed.id, claim_no: claimed.claim_no }
}

fn ids(claimed: &[Claimed]) -> Vec<Id> {
    claimed.iter().map(|claimed| claimed.id).collect()
}
