//! Schedules of programs on one PostgreSQL: what a reload changes, what was missed while no program was there, and programs
//! with other data of their time zones.

#[path = "support/folder.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod folder;
#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::env;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use folder::Folder;
use jobs::{Config, Jobs, job};
use server::Server;
use sqlx::PgPool;

#[job(schedule = "cron.beat", key = "beat")]
async fn pulse() {}

#[job(overlap = "allow")]
#[job(schedule = "cron.daily", key = "all", missed = "all")]
#[job(schedule = "cron.daily", key = "nothing")]
#[job(schedule = "cron.daily", key = "once", missed = "once")]
#[job(schedule = "cron.daily", key = "skip", missed = "skip")]
#[job(schedule = "cron.daily", key = "within", missed = "all within 50h")]
async fn sweep() {}

#[job(overlap = "allow")]
async fn tick() {}

/// What comes last in an address.
fn database(address: &str) -> &str {
    address.rsplit('/').next().unwrap()
}

/// The hour that is the furthest from now, so that no slot comes while a test runs.
#[expect(clippy::disallowed_methods, reason = "the server lives in real time")]
static FAR_HOUR: LazyLock<u32> = LazyLock::new(|| (Utc::now().hour() + 12) % 24);

fn config(address: &str, beat: &str) -> Config {
    let text = format!("[cron]\nbeat = \"{beat}\"\ndaily = \"0 0 {} * * *\"", *FAR_HOUR);
    Config::from_toml(&text).unwrap().without_environment().store(address)
}

async fn start(address: &str) -> Jobs {
    jobs::start(config(address, "@yearly")).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Returns when the SQL gives something that is wanted. Nothing else tells of what processes do: it asks now and then.
async fn until(pool: &PgPool, sql: &'static str, wanted: impl Fn(i64) -> bool) {
    let told = async {
        loop {
            let is_so = sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await;
            if is_so.is_ok_and(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), told).await.unwrap_or_else(|_| panic!("in time: {sql}"));
}

/// `@every 1m` is the beginning of `@every 1m30s`.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_the_definition_of_the_cluster() {
    let server = Server::shared();
    let address = server.database();
    let jobs = jobs::start(config(&address, "@every 1m30s")).await.unwrap();
    let definition = "select definition from jobs.schedule where key = 'beat'";
    assert_eq!(server.sql(database(&address), definition), "@every 1m30s");
    jobs.reload(config(&address, "@every 1m")).await.unwrap();
    assert_eq!(server.sql(database(&address), definition), "@every 1m");
    jobs.shutdown().await;
}

/// ```text
///  5 days ago   4   3   2   1   now
///               m   m   m   m    m    skip
///               m   m   m   m    c    once, and where nothing is said
///               c   c   c   c    c    all
///               m   m   m   c    c    all within 50h
/// ```
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_down_makes_up_for_what_the_policies_say() {
    let server = Server::shared();
    let address = server.database();
    let pool = PgPool::connect(&address).await.unwrap();
    let (one, two) = tokio::join!(start(&address), start(&address));
    one.shutdown().await;
    two.shutdown().await;
    sqlx::query("update jobs.schedule set next_slot = next_slot - interval '5 days' where job = 'sweep'")
        .execute(&pool)
        .await
        .unwrap();
    // Both come back at once.
    let (one, two) = tokio::join!(start(&address), start(&address));
    until(&pool, "select count(*) from jobs.schedule where job = 'sweep' and next_slot > now()", |count| {
        count == 5
    })
    .await;
    until(&pool, "select count(*) from jobs.run where state <> 'succeeded'", |count| count == 0).await;
    let by_key = |sql: &str| server.sql(database(&address), sql);
    let runs = by_key(
        "select schedule, count(*), bool_and(origin = 'caught_up'), max(slot) > now() - interval '1 day'
        from jobs.run group by schedule order by schedule",
    );
    assert_eq!(runs, "all|5|t|t\nnothing|1|t|t\nonce|1|t|t\nwithin|2|t|t");
    let missed = by_key(
        "select key, reason, sum(count) from jobs.ledger where job = 'sweep' and reason like 'missed%'
        group by key, reason order by key",
    );
    let told = "nothing|missed: down|4\nonce|missed: down|4\nskip|missed: down|5\nwithin|missed: down|3";
    assert_eq!(missed, told);
    let all = by_key("select sum(count) from jobs.ledger where job = 'sweep'");
    assert_eq!(all, "25", "each slot is told once");
    for jobs in [one, two] {
        // Who was not the first learns it from the other.
        let learns = async {
            while jobs.ledger("sweep").unwrap().tally().total() < 25 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), learns).await.expect("each process has the ledger");
        assert_eq!(jobs.ledger("sweep").unwrap().tally().to_string(), "9 caught up, 16 missed");
        jobs.shutdown().await;
    }
}

/// All of them make the tables, and say which jobs and schedules there are.
#[tokio::test(flavor = "multi_thread")]
async fn programs_begin_at_once_on_an_empty_database() {
    let server = Server::shared();
    for _ in 0..3 {
        let address = server.database();
        let start = || start(&address);
        let (one, two, three, four) = tokio::join!(start(), start(), start(), start());
        let found = "select (select count(*) from jobs.node), (select count(*) from jobs.schedule)";
        assert_eq!(server.sql(database(&address), found), "4|6");
        for jobs in [one, two, three, four] {
            assert!(jobs.shutdown().await.is_clean());
        }
    }
}

/// Two applications with jobs of the same names.
#[tokio::test(flavor = "multi_thread")]
async fn programs_share_a_database_by_their_schemas() {
    let server = Server::shared();
    let address = server.database();
    let pool = PgPool::connect(&address).await.unwrap();
    let billing = format!("{address}?schema=billing");
    let (one, other) = tokio::join!(start(&address), start(&billing));
    // Each knows of itself alone.
    for jobs in [&one, &other] {
        assert_eq!(jobs.cluster().await.unwrap().unwrap().nodes.len(), 1);
    }
    one.pause_queue("default").await.unwrap();
    let held = one.now(tick {}).await.unwrap();
    let done = other.now(tick {}).await.unwrap();
    done.wait().await;
    let mut tx = pool.begin().await.unwrap();
    let in_tx = other.now(tick {}).in_tx(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    in_tx.wait().await;
    let states = |schema: &str| {
        let sql = format!("select state, count(*) from {schema}.run group by state");
        server.sql(database(&address), &sql)
    };
    assert_eq!((states("jobs"), states("billing")), ("available|1".to_owned(), "succeeded|2".to_owned()));
    assert!(other.run(held.id()).await.is_none());
    one.resume_queue("default").await.unwrap();
    held.wait().await;
    one.shutdown().await;
    // The other is not disturbed.
    other.now(tick {}).await.unwrap().wait().await;
    other.shutdown().await;
    assert_eq!((states("jobs"), states("billing")), ("succeeded|1".to_owned(), "succeeded|3".to_owned()));
}

const ADDRESS: &str = "JOBS_TESTS_ZONES_ADDRESS";

/// The program of the test below. Without its variable it is no test of anything.
#[test]
fn program() {
    let Ok(address) = env::var(ADDRESS) else { return };
    std::thread::spawn(|| {
        // Who has started it is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let jobs = start(&address).await;
        jobs.schedule("TZ=Test/Here */3 * * * * *", tick {}).key("tick").await.unwrap();
        jobs.run_until_signal().await;
    });
}

/// A folder in which the zone `Test/Here` is so many seconds ahead of UTC.
fn zones(ahead: i32) -> Folder {
    let mut block = b"TZif2".to_vec();
    block.extend([0; 15]);
    for count in [0_u32, 0, 0, 0, 1, 4] {
        block.extend(count.to_be_bytes());
    }
    block.extend(ahead.to_be_bytes());
    block.extend([0, 0]);
    block.extend(b"TST\0");
    let file = [&block[..], &block[..], format!("\nTST-0:00:{ahead:02}\n").as_bytes()].concat();
    let folder = Folder::new();
    fs::create_dir(folder.path().join("Test")).unwrap();
    fs::write(folder.path().join("Test/Here"), file).unwrap();
    folder
}

struct Program(Child);

impl Program {
    fn start(address: &str, zones: &Folder) -> Self {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["program", "--exact", "--nocapture", "--test-threads=1"]);
        program.env(ADDRESS, address).env("TZDIR", zones.path());
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(program.spawn().unwrap())
    }

    fn end(mut self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The data of the zones of two programs are a second apart, so that each would name other slots.
#[tokio::test(flavor = "multi_thread")]
async fn other_data_of_a_zone_doubles_and_leaves_out_no_slot() {
    let address = Server::shared().database();
    let (older, newer) = (zones(0), zones(1));
    let older = Program::start(&address, &older);
    let pool = PgPool::connect(&address).await.unwrap();
    let ran = "select count(*) from jobs.run where state = 'succeeded'";
    until(&pool, ran, |count| count >= 2).await;
    let newer = Program::start(&address, &newer);
    let by_newer = "select count(*) from jobs.run where extract(epoch from slot)::bigint % 3 = 2";
    until(&pool, by_newer, |count| count >= 3).await;
    newer.end();
    let by_older = "select count(*) from jobs.run where extract(epoch from slot)::bigint % 3 = 0";
    let older_before: i64 = sqlx::query_scalar(by_older).fetch_one(&pool).await.unwrap();
    until(&pool, by_older, |count| count >= older_before + 2).await;
    older.end();
    let slots: Vec<DateTime<Utc>> =
        sqlx::query_scalar("select slot from jobs.run order by slot").fetch_all(&pool).await.unwrap();
    // While the one that started last was there, the slots were its own.
    let is_newer = |slot: &DateTime<Utc>| slot.timestamp() % 3 == 2;
    let (first, last) = (slots.iter().position(is_newer).unwrap(), slots.iter().rposition(is_newer).unwrap());
    assert!(slots[first..=last].iter().all(is_newer), "{slots:?}");
    let apart: Vec<_> = slots.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let wanted = TimeDelta::seconds(2)..=TimeDelta::seconds(4);
    assert!(apart.iter().all(|apart| wanted.contains(apart)), "{apart:?}");
}
