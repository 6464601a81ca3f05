//! A rolling deploy: nodes of one version are replaced one by one by those of the next, which has renamed, added and removed
//! jobs and schedules and brings a newer schema, and then all of it is taken back. Submissions go on, and every schedule fires
//! each second or two. Afterwards the database is held against what the jobs wrote, and against what was accepted.
//!
//! In the normal run nodes end by SIGTERM, but for one that is killed. With half of the seeds all of them are killed:
//!
//! ```text
//! JOBS_TEST_SEEDS=10 cargo test -p jobs-tests-deploy --test rolling
//! ```
//!
//! `JOBS_TEST_SEED=3` runs one of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "rolling/fleet.rs"]
mod fleet;
#[path = "../../tests/support/folder.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod folder;
#[path = "../../tests/support/seeds.rs"]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
mod seeds;
#[path = "../../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
#[path = "rolling/verdict.rs"]
mod verdict;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use fleet::{Fleet, Version};
use folder::Folder;
use seeds::Rng;
use server::Server;
use verdict::Verdict;

const NODES: usize = 3;

/// When, by the clock of the server, which version had the say.
struct Times {
    /// The first node of the second version is not started yet; its definitions are in force.
    before_two: DateTime<Utc>,
    two: DateTime<Utc>,
    /// The same of the first version, to which it goes back; and the last of the second has gone.
    before_one: DateTime<Utc>,
    one: DateTime<Utc>,
    only_one: DateTime<Utc>,
}

#[test]
fn nothing_is_lost_and_nothing_doubled() {
    seeds::for_each_in_real_time(1, |seed| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(deploy(seed));
    });
}

async fn deploy(seed: u64) {
    let mut random = Rng::new(seed);
    let all_are_killed = seed % 2 == 1;
    let (server, folder) = (Server::start(&[]), Folder::new());
    let address = server.database();
    let pool = PgPool::connect(&address).await.unwrap();
    let mut fleet = Fleet::new(&address, &folder, &pool);

    for _ in 0..NODES {
        fleet.start(Version::One).await;
    }
    fleet.until("select count(*) > 50 from jobs.run where state = 'succeeded'").await;
    fleet.until("select count(*) = 7 from jobs.schedule where next_slot > now() - interval '2 s'").await;

    migrate(&pool, "(select max(oldest) from jobs.migration)").await;
    let unlucky = random.below(NODES as u64) as usize;
    let before_two = fleet.now().await;
    let mut two = before_two;
    for which in 0..NODES {
        fleet.start(Version::Two).await;
        if which == 0 {
            fleet
                .until("select count(*) = 1 from jobs.schedule where job = 'coming' and closed_since is null")
                .await;
            fleet
                .until("select definition = '*/2 * * * * *' from jobs.schedule where job = 'changing'")
                .await;
            two = fleet.now().await;
        }
        fleet.pass_seconds(4).await;
        fleet.end(Version::One, all_are_killed || which == unlucky, &mut random).await;
    }
    // The last submissions of the removed job come due.
    fleet.until("select count(*) = 0 from jobs.run where job = 'report' and state = 'scheduled'").await;
    fleet.pass_seconds(6).await;
    let removed = verdict::waiting(&pool, &["report"]).await;

    let before_one = fleet.now().await;
    let mut one = before_one;
    for which in 0..NODES {
        fleet.start(Version::One).await;
        if which == 0 {
            fleet.until("select definition = '* * * * * *' from jobs.schedule where job = 'changing'").await;
            one = fleet.now().await;
        }
        fleet.pass_seconds(4).await;
        fleet.end(Version::Two, all_are_killed, &mut random).await;
    }
    let only_one = fleet.now().await;
    fleet.until("select count(*) = 0 from jobs.run where job = 'invoice' and state = 'scheduled'").await;
    // What waited for this version has been done.
    fleet.until("select count(*) = 0 from jobs.run where job = 'report' and state = 'available'").await;
    fleet.pass_seconds(6).await;
    let added = verdict::waiting(&pool, &["invoice", "send_mail"]).await;

    // And forward again, for what waits for the second version.
    fleet.start(Version::Two).await;
    fleet.until("select count(*) = 0 from jobs.run where job = 'invoice' and state = 'available'").await;
    fleet.stop_submitting().await;
    fleet.until("select count(*) = 0 from jobs.run where slot is null and finished is null").await;
    fleet.end_all().await;
    migrate(&pool, "(select max(version) + 1 from jobs.migration)").await;
    let said = fleet.is_refused(Version::One);
    assert!(said.contains("only nodes work with that know version"), "{said}");

    let times = Times { before_two, two, before_one, one, only_one };
    Verdict::read(&pool, &folder, fleet.killed.clone()).await.check(&times, removed, added);
}

/// Brings the schema one version further, as the next version of the library would: it adds a column to every table. Nodes that
/// are at work may be in its way, and then it tries again.
async fn migrate(pool: &PgPool, oldest: &str) {
    let mut sql = String::from("begin; lock table jobs.migration in exclusive mode;");
    for table in ["run", "job", "queue", "node", "schedule", "registration", "ledger"] {
        sql += &format!("alter table jobs.{table} add column if not exists remark text;");
    }
    sql += &format!(
        "insert into jobs.migration (version, oldest) select max(version) + 1, {oldest} from jobs.migration;"
    );
    sql += "commit";
    let is_deadlock = |error: &sqlx::Error| {
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "40P01")
    };
    let mut connection = pool.acquire().await.unwrap().detach();
    while let Err(error) = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(&mut connection).await {
        assert!(is_deadlock(&error), "{error}");
        sqlx::raw_sql("rollback").execute(&mut connection).await.unwrap();
    }
}
