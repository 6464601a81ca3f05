//! Programs on one PostgreSQL, which are killed and stopped while they work, on a server that is killed and restarted, over
//! connections that are cut in the middle of statements, with clocks that are wrong by minutes and jump. Afterwards the database
//! is held against what the jobs themselves wrote and against what was told to have been accepted: nothing is lost or doubled,
//! every slot has its reason, and overlap, delay, backoff and `concurrency` hold in the whole cluster. The programs are this test,
//! started once more.
//!
//! Two rounds of faults in the normal run, of which the first kills and restarts the server and the second leaves it alone; four
//! nodes, two hundred schedules, at least twenty rounds and a hundred thousand submissions by
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

#[path = "cluster_faults/diary.rs"]
mod diary;
#[path = "cluster_faults/limits.rs"]
mod limits;
#[path = "cluster_faults/program.rs"]
mod program;
#[path = "cluster_faults/proxy.rs"]
mod proxy;
#[path = "cluster_faults/slots.rs"]
mod slots;
#[path = "cluster_faults/submitting.rs"]
mod submitting;
#[path = "cluster_faults/verdict.rs"]
mod verdict;

use std::env;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, PgPool};

use diary::Written;
use proxy::Proxy;
use server::Server;
use submitting::Submitting;
use support::folder::Folder;
use support::seeds::Rng;
use verdict::Taken;

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
    /// What they say to nobody, a file each.
    said: Folder,
    schedules: u64,
    random: Rng,
    running: Vec<Child>,
    started: usize,
    hit: Vec<Hit>,
}

/// A process that was killed or stopped, by the clock of the server.
struct Hit {
    process: u32,
    from: DateTime<Utc>,
    /// It is one of the cluster again.
    to: Option<DateTime<Utc>>,
}

impl Programs<'_> {
    fn start(&mut self) {
        // Every second one is connected by the proxy.
        let address = &self.addresses[self.started % 2];
        self.started += 1;
        let said = File::create(self.said.path().join(self.started.to_string())).unwrap();
        let child = Command::new(env::current_exe().unwrap())
            .args(["program", "--exact", "--nocapture", "--test-threads=1"])
            .env(program::ADDRESS, address)
            .env(program::FOLDER, self.folder.path())
            .env(program::SCHEDULES, self.schedules.to_string())
            .env(program::SKEW, self.random.next().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        self.running.push(child);
    }

    fn kill(&mut self, which: usize) -> u32 {
        let mut child = self.running.remove(which);
        child.kill().unwrap();
        child.wait().unwrap();
        child.id()
    }

    fn signal(&mut self, which: usize, signal: &str) -> u32 {
        let pid = self.running[which].id();
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
        pid
    }

    /// None has ended that nobody has ended.
    fn are_there(&mut self) {
        for child in &mut self.running {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{} has ended: {ended:?}", child.id());
        }
    }

    /// They end in good order.
    fn end(&mut self) {
        self.are_there();
        for which in 0..self.running.len() {
            self.signal(which, "-TERM");
        }
        for mut child in self.running.drain(..) {
            // It would end by the end of its input.
            let _input = child.stdin.take();
            let status = child.wait().unwrap();
            assert!(status.success(), "{} has ended badly: {status}", child.id());
        }
    }
}

impl Drop for Programs<'_> {
    fn drop(&mut self) {
        while !self.running.is_empty() {
            self.kill(0);
        }
        if std::thread::panicking() {
            for which in 1..=self.started {
                let said = fs::read_to_string(self.said.path().join(which.to_string())).unwrap_or_default();
                eprintln!("program {which} of {} has said: {said}", self.started);
            }
        }
    }
}

/// The server writes down what is taken from those that had begun it, and when they had claimed it. What was taken twice is found by
/// an index: it is asked for all the time.
async fn watch_what_is_taken(pool: &PgPool) {
    let sql = "create table taken (run text, attempt integer, claimed timestamptz, taken timestamptz);
        create function is_taken() returns trigger language plpgsql as
            $$ begin
                insert into taken values (old.id, old.attempt, old.started, clock_timestamp());
                return null;
            end $$;
        create trigger is_taken after update on jobs.run for each row
            when (old.state = 'running' and new.state <> 'running' and new.finished is null)
            execute function is_taken();
        create index on jobs.run (id) where rescues >= 2 and finished is null";
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

/// Runs that were taken from two processes.
const HIT_TWICE: &str = "select count(*) from jobs.run where rescues >= 2 and finished is null";

/// Returns when nothing of these is left. What was taken from two processes would wait for minutes, and the third loss would be its
/// end: it is brought forward, and is done before the next are hit.
async fn until_done(pool: &PgPool, left: &'static str) {
    let sooner = "update jobs.run set due = now()
        where rescues >= 2 and finished is null and state = 'scheduled' and due > now()";
    let done = async {
        loop {
            let is_sooner = sqlx::query(sooner).execute(pool).await.is_ok();
            let found = sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await;
            if is_sooner && found.is_ok_and(|left| left == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(240), done).await.is_err() {
        panic!("`{left}` does not come to nothing\n{}", what_is_there(pool).await);
    }
}

/// By the clock of the server, while it is there.
async fn now(pool: &PgPool) -> DateTime<Utc> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(pool).await.unwrap()
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
    if tokio::time::timeout(Duration::from_secs(240), told).await.is_err() {
        panic!("`{sql}` does not come to {wanted}\n{}", what_is_there(pool).await);
    }
}

/// What a test that waits in vain leaves to look at: the processes, what they have, and the oldest runs that have not ended.
async fn what_is_there(pool: &PgPool) -> String {
    let sql = "select string_agg(t, e'\n') from (
            select now()::text union all (select n::text from jobs.node n) union all (
                select concat_ws(' ', count(*), state, job, node)
                from jobs.run where finished is null group by state, job, node order by 1
            ) union all (
                select concat_ws(' ', id, job, state, due, attempt, claim_no, rescues, node, cancel, origin, slot, started, args)
                from jobs.run where finished is null order by id limit 40
            )
        ) x (t)";
    let told = sqlx::query_scalar::<_, Option<String>>(sql).fetch_one(pool).await;
    told.map_or_else(|error| error.to_string(), Option::unwrap_or_default)
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
    watch_what_is_taken(&pool).await;

    let mut programs = Programs {
        addresses: [address, proxy.address.clone()],
        folder: &folder,
        said: Folder::new(),
        schedules,
        random: Rng::new(random.next()),
        running: Vec::new(),
        started: 0,
        hit: Vec::new(),
    };
    (0..nodes).for_each(|_| programs.start());
    // The submitter is one of them.
    let all = (nodes + 1).to_string();
    until(&pool, "select count(*) from jobs.node", &all).await;
    until(&pool, "select count(*) > 100 from jobs.run where job = 'note' and state = 'succeeded'", "true")
        .await;
    let every_job = program::JOBS.len().to_string();
    until(&pool, "select count(distinct job) from jobs.run where state = 'succeeded'", &every_job).await;

    let (mut round, mut losses) = (0, Vec::new());
    while round < rounds || submitting.count() < submissions {
        programs.are_there();
        until_done(&pool, HIT_TWICE).await;
        // In the middle of something that takes long.
        let which = random.below(nodes as u64) as usize;
        let busy = format!(
            "select count(*) > 0 from jobs.run r join jobs.node n on n.id = r.node
             where n.name like '%:{}' and r.state = 'running' and r.job = 'note' and r.args ~ '[05]0}}$'",
            programs.running[which].id()
        );
        until(&pool, &busy, "true").await;
        let hit_at = now(&pool).await;
        let killed = programs.kill(which);
        programs.hit.push(Hit { process: killed, from: hit_at, to: None });
        programs.start();
        let which = random.below(nodes as u64 - 1) as usize;
        let stopped_at = now(&pool).await;
        let stopped = programs.signal(which, "-STOP");
        if random.one_in(2) {
            proxy.cut_all();
        }
        // Where it stays, what the two have begun is rescued as after any loss, and where it goes, as after an outage.
        let goes = round % 2 == 0;
        if goes {
            server.kill();
            server.start_again();
        }
        let here = |pid: u32| format!("select count(*) from jobs.node where name like '%:{pid}'");
        until(&pool, &here(killed), "0").await;
        if !goes {
            // It is missed after 15 s, by others who look every few seconds.
            let missed_at = now(&pool).await;
            let after = missed_at - hit_at;
            // Twice if who judges was late itself just then, and with time to spare.
            assert!(after <= TimeDelta::seconds(90), "{killed} was missed after {after}");
            println!("round {round}: {killed} was missed after {} s", after.num_seconds());
            losses.push((hit_at, missed_at));
        }
        until(&pool, &here(stopped), "0").await;
        programs.signal(which, "-CONT");
        until(&pool, "select count(*) from jobs.node", &all).await;
        let back_at = now(&pool).await;
        programs.hit.push(Hit { process: stopped, from: stopped_at, to: Some(back_at) });
        proxy.cut_all();
        if goes && (round == 0 || random.one_in(2)) {
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
    until_done(&pool, "select count(*) from jobs.run where job in ('note', 'flaky') and finished is null")
        .await;
    // No schedule has stopped, or is behind.
    until(&pool, slots::BEHIND, "0").await;
    // What has fired is done, but for the last: those end with the programs.
    let done_before = now(&pool).await - TimeDelta::seconds(5);
    until(&pool, slots::UNDONE, "0").await;
    let ended_at = now(&pool).await;
    programs.end();
    let written = Written::read(&folder);
    let taken = Taken::read(&pool, &programs.hit).await;
    let found = verdict::check(&pool, &written, &taken, &submitted).await;
    slots::check(&pool, schedules, done_before, ended_at).await;
    slots::have_fired(&pool, &losses).await;
    limits::check(&pool, &written, &taken).await;
    println!("{} connections were cut, {} of them by what was said", proxy.cuts(), proxy.cuts_by_bytes());
    // They have hit something.
    assert!(round < 2 || found.repeated > 0, "nothing was taken from those that were hit");
    assert!(proxy.cuts_by_bytes() > 0, "no connection was cut in the middle");
}
