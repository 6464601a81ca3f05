//! Programs on one PostgreSQL, which are killed and stopped while they work, on a server that is killed and restarted, over
//! connections that are cut in the middle of statements, with clocks that are wrong by minutes and jump. Afterwards the database
//! is held against what the jobs themselves wrote and against what was told to have been accepted. The programs are this test,
//! started once more.
//!
//! Two rounds of faults in the normal run, one of which leaves the server alone; four nodes, two hundred schedules, at least twenty rounds and a hundred thousand
//! submissions by
//!
//! ```text
//! JOBS_TEST_FAULTS=20 JOBS_TEST_SUBMISSIONS=100000 JOBS_TEST_NODES=4 JOBS_TEST_SCHEDULES=200 JOBS_TEST_CALLERS=64 \
//!     cargo test --release -p jobs-tests --test cluster_faults -- --nocapture
//! ```
//!
//! `JOBS_TEST_SEED` hits the same nodes in the same order.

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod support;

#[path = "cluster_faults/program.rs"]
mod program;
#[path = "cluster_faults/proxy.rs"]
mod proxy;
#[path = "cluster_faults/submitting.rs"]
mod submitting;
#[path = "cluster_faults/verdict.rs"]
mod verdict;

use std::collections::HashSet;
use std::env;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};

use proxy::Proxy;
use server::Server;
use submitting::Submitting;
use support::folder::Folder;
use support::seeds::Rng;

/// How many there are of something, unless the environment says otherwise.
fn number(variable: &str, default: u64) -> u64 {
    env::var(variable)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`")))
}

/// The program. Without its variable it is no test of anything.
#[test]
fn program() {
    if let Ok(address) = env::var(program::ADDRESS) {
        program::run(&address);
    }
}

/// The processes of the cluster, from outside.
struct Programs<'a> {
    addresses: [String; 2],
    folder: &'a Folder,
    schedules: u64,
    random: Rng,
    running: Vec<Child>,
    started: usize,
    hit: HashSet<u32>,
}

impl Programs<'_> {
    fn start(&mut self) {
        // Every second one is connected by the proxy.
        let address = &self.addresses[self.started % 2];
        self.started += 1;
        let child = Command::new(env::current_exe().unwrap())
            .args(["program", "--exact", "--nocapture", "--test-threads=1"])
            .env(program::ADDRESS, address)
            .env(program::FOLDER, self.folder.path())
            .env(program::SCHEDULES, self.schedules.to_string())
            .env(program::SKEW, self.random.next().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.running.push(child);
    }

    fn kill(&mut self, which: usize) -> u32 {
        let mut child = self.running.remove(which);
        child.kill().unwrap();
        child.wait().unwrap();
        self.hit.insert(child.id());
        child.id()
    }

    fn signal(&mut self, which: usize, signal: &str) -> u32 {
        let pid = self.running[which].id();
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
        pid
    }

    /// They end in good order.
    fn end(&mut self) {
        for which in 0..self.running.len() {
            self.signal(which, "-TERM");
        }
        for mut child in self.running.drain(..) {
            // It would end by the end of its input.
            let _input = child.stdin.take();
            child.wait().unwrap();
        }
    }
}

impl Drop for Programs<'_> {
    fn drop(&mut self) {
        while !self.running.is_empty() {
            self.kill(0);
        }
    }
}

/// Returns when the SQL gives `wanted`. The processes and the server live in real time, and nothing else tells of them: it asks
/// now and then.
async fn until(pool: &PgPool, sql: &str, wanted: &str) {
    let sql = format!("select t::text from ({sql}) as x (t)");
    let told = async {
        loop {
            let found = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql.clone())).fetch_one(pool).await;
            if found.is_ok_and(|found| found == wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(240), told)
        .await
        .unwrap_or_else(|_| panic!("`{sql}` does not come to {wanted}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_doubled() {
    let rounds = number("JOBS_TEST_FAULTS", 2);
    let nodes = number("JOBS_TEST_NODES", 3) as usize;
    let schedules = number("JOBS_TEST_SCHEDULES", 20);
    let submissions = number("JOBS_TEST_SUBMISSIONS", 0);
    let callers = number("JOBS_TEST_CALLERS", 6);
    let seed = number("JOBS_TEST_SEED", u64::from(std::process::id()));
    println!("JOBS_TEST_SEED={seed}");
    let mut random = Rng::new(seed);

    let (server, folder) = (Server::start(&[]), Folder::new());
    let address = server.database();
    let pool = PgPool::connect(&address).await.unwrap();
    let proxy = Proxy::start(&address, random.next()).await;
    // The submitter's clock is wrong as well.
    program::set_clock(&mut random);
    let submitting = Submitting::start(&address, &proxy.address, &folder, callers).await;

    let mut programs = Programs {
        addresses: [address, proxy.address.clone()],
        folder: &folder,
        schedules,
        random: Rng::new(random.next()),
        running: Vec::new(),
        started: 0,
        hit: HashSet::new(),
    };
    (0..nodes).for_each(|_| programs.start());
    // The submitter is one of them.
    let all = (nodes + 1).to_string();
    until(&pool, "select count(*) from jobs.node", &all).await;
    until(&pool, "select count(*) > 100 from jobs.run where job = 'note' and state = 'succeeded'", "true")
        .await;
    until(&pool, "select count(*) > 0 from jobs.run where job = 'tick' and state = 'succeeded'", "true")
        .await;

    let mut round = 0;
    while round < rounds || submitting.count() < submissions {
        let killed = programs.kill(random.below(nodes as u64) as usize);
        programs.start();
        let which = random.below(nodes as u64 - 1) as usize;
        let stopped = programs.signal(which, "-STOP");
        programs.hit.insert(stopped);
        if random.one_in(2) {
            proxy.cut_all();
        }
        // Where it stays, what the two have begun is rescued as after any loss, and where it goes, as after an outage.
        let goes = round % 2 == 0;
        if goes {
            server.kill();
            server.start_again();
        }
        // Longer than it takes until they are missed.
        let gone =
            format!("select count(*) from jobs.node where name like '%:{killed}' or name like '%:{stopped}'");
        until(&pool, &gone, "0").await;
        programs.signal(which, "-CONT");
        until(&pool, "select count(*) from jobs.node", &all).await;
        proxy.cut_all();
        if goes && random.one_in(2) {
            server.stop();
            server.start_again();
        }
        println!(
            "round {round}: {killed} was killed, {stopped} was stopped; {} submissions",
            submitting.count()
        );
        round += 1;
    }

    let submitted = submitting.end().await;
    until(&pool, "select count(*) from jobs.run where job = 'note' and finished is null", "0").await;
    // No schedule has stopped, or is behind.
    until(&pool, "select bool_and(next_slot > now() - interval '2 s') from jobs.schedule", "true").await;
    programs.end();
    verdict::check(&pool, &folder, &submitted, &programs.hit).await;
    println!("{} connections were cut", proxy.cuts());
}
