//! Real processes and a real server, which are killed and stopped while they work. Afterwards what the runs themselves wrote
//! is held against what the database says.
//!
//! `JOBS_TEST_FAULTS=10` has ten rounds of faults instead of one. `JOBS_TEST_SEED` replays who is hit.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicUsize;

use chrono::{DateTime, TimeDelta, Utc};
use jobs_syntax::Overlap;
use tokio::sync::mpsc;

use super::program::{Program, bounded, joined, watching};
use super::*;
use crate::store::postgres::claim::Limited;
use crate::store::postgres::fire::Slot;
use crate::store::postgres::node::{ClusterView, Host, Identity, Node, Room};
use crate::store::postgres::schedules::{InForce, Registration};

const ADDRESS: &str = "JOBS_TEST_NODE_ADDRESS";
const ID: &str = "JOBS_TEST_NODE_ID";
const PROCESS: &str = "store::postgres::tests::faults::the_process_of_a_node";
const SCHEDULES: usize = 10;
const ROOM: usize = 20;

/// A program that executes what it is given.
struct Executor {
    executing: AtomicUsize,
    taken: mpsc::UnboundedSender<Claimed>,
    first: DateTime<Utc>,
}

impl Host for Executor {
    fn room(&self) -> Room {
        Room { count: ROOM.saturating_sub(self.executing.load(Ordering::SeqCst)), ..Room::default() }
    }

    fn jobs(&self) -> Arc<[String]> {
        jobs().into_iter().chain(["mail".into()]).collect()
    }

    fn limited(&self) -> Arc<[Limited]> {
        [].into()
    }

    fn retention(&self) -> (Duration, usize) {
        (Duration::from_secs(86_400), 1_000_000)
    }

    fn take(&self, runs: Vec<Claimed>) -> Vec<Fence> {
        self.executing.fetch_add(runs.len(), Ordering::SeqCst);
        runs.into_iter().for_each(|run| self.taken.send(run).unwrap());
        Vec::new()
    }

    fn let_go_waiting(&self) -> Vec<Fence> {
        Vec::new()
    }

    fn cancel(&self, _: Vec<Id>) {}

    fn lost_claims(&self) {}

    fn see(&self, _: ClusterView) {}

    fn schedules(&self) -> Vec<Registration> {
        schedules(self.first)
    }

    fn in_force(&self, _: Vec<InForce>) {}
}

fn jobs() -> Vec<String> {
    (0..SCHEDULES).map(|n| format!("slots_{n}")).collect()
}

fn schedules(first: DateTime<Utc>) -> Vec<Registration> {
    let schedule = |job| Registration {
        job,
        key: "each second".into(),
        definition: "1s".into(),
        first: Some(first),
        delay: None,
        second: None,
        declared: false,
    };
    jobs().into_iter().map(schedule).collect()
}

/// Asks until there is an answer.
async fn insist<T, F: Future<Output = sqlx::Result<T>>>(question: impl Fn() -> F) -> T {
    loop {
        if let Ok(answer) = question().await {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

/// Not a test of its own: what the processes do that the others start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is started by the tests"]
async fn the_process_of_a_node() {
    let (Ok(address), Ok(id)) = (std::env::var(ADDRESS), std::env::var(ID)) else { return };
    std::thread::spawn(|| {
        // Who started it is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let id: u128 = id.parse().unwrap();
    let db = watching(&address);
    let now: DateTime<Utc> = insist(|| sqlx::query_scalar("select now()").fetch_one(&db.pool)).await;
    let (sender, mut taken) = mpsc::unbounded_channel();
    let first = now + TimeDelta::seconds(1);
    let host = Arc::new(Executor { executing: AtomicUsize::new(0), taken: sender, first });
    let identity =
        || Identity { id: Id(id), name: format!("node {id}"), names: Vec::new(), fires: Vec::new() };
    // A server that dies at this moment is an error of the start, after which a program is started again.
    let node = loop {
        let host = Arc::clone(&host) as Arc<dyn Host>;
        if let Ok(node) = Node::join(Address::parse(&address).unwrap(), identity(), clock(), host).await {
            break Arc::new(node);
        }
    };
    let witness = Db::new(pool(&address, 4), Schema::default());
    let mut work = tokio::task::JoinSet::new();
    work.spawn(fire_slots(db, id));
    while let Some(claimed) = taken.recv().await {
        let (node, host, witness) = (Arc::clone(&node), Arc::clone(&host), witness.clone());
        work.spawn(async move {
            insist(|| {
                let sql =
                    "insert into witness (run, claim_no, node) values ($1, $2, $3) on conflict do nothing";
                let sql = sqlx::query(sql).bind(claimed.id).bind(claimed.claim_no).bind(Id(id));
                sql.execute(&witness.pool)
            })
            .await;
            host.executing.fetch_sub(1, Ordering::SeqCst);
            node.ends().end(success_of(&claimed));
            node.wake();
        });
    }
}

/// Fires what is due, as every other node does.
async fn fire_slots(db: Db, node: u128) {
    let mut number = node << 64;
    loop {
        let now: DateTime<Utc> =
            insist(|| sqlx::query_scalar("select now() from pg_sleep(0.1)").fetch_one(&db.pool)).await;
        let known = schedules(now);
        let in_force = insist(|| db.in_force(&known)).await;
        let due = in_force.into_iter().filter_map(|schedule| {
            let slot = schedule.next_slot.filter(|slot| *slot <= now)?;
            number += 1;
            Some(Slot {
                job: schedule.job,
                key: schedule.key,
                definition: "1s".into(),
                slot,
                next: Some(slot + TimeDelta::seconds(1)),
                reason: "ran",
                run: Id(number),
                queue: "default".into(),
                priority: 0,
                retries: 0,
                args: "{}".into(),
                overlap: Overlap::Allow,
            })
        });
        let due: Vec<_> = due.collect();
        // What is not known to have fired is found at the next look.
        let _ = db.fire(&due).await;
    }
}

struct Processes {
    address: String,
    running: Vec<(u128, Child)>,
    next: u128,
    hit: Vec<u128>,
}

impl Processes {
    fn start(&mut self) {
        self.next += 1;
        let child = Command::new(std::env::current_exe().unwrap())
            .args([PROCESS, "--exact", "--ignored"])
            .env(ADDRESS, &self.address)
            .env(ID, self.next.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.running.push((self.next, child));
    }

    fn kill(&mut self, which: usize) -> u128 {
        let (id, mut child) = self.running.remove(which);
        child.kill().unwrap();
        child.wait().unwrap();
        self.hit.push(id);
        id
    }

    fn signal(&mut self, which: usize, signal: &str) -> u128 {
        let (id, child) = &self.running[which];
        let done = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(done.success());
        self.hit.push(*id);
        *id
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        while !self.running.is_empty() {
            self.kill(0);
        }
    }
}

impl Db {
    /// Returns when the SQL gives `wanted`.
    pub(super) async fn until(&self, sql: &str, wanted: &str) {
        let sql = format!("select t::text from ({sql}) as x (t), pg_sleep(0.2)");
        let told = async {
            loop {
                let ask = || sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(&self.pool);
                let found: String = insist(ask).await;
                if found == wanted {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(90), told).await;
        let nodes = "select (id, heartbeat, now()) from jobs.node";
        assert!(in_time.is_ok(), "`{sql}` does not come to {wanted}; nodes: {}", self.text(nodes).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_doubled() {
    let rounds: u32 = std::env::var("JOBS_TEST_FAULTS").map_or(1, |rounds| rounds.parse().unwrap());
    let seed =
        std::env::var("JOBS_TEST_SEED").map_or(u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("JOBS_TEST_SEED={seed}");
    let mut random = seed | 1;
    let mut pick = move |among: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % among as u64) as usize
    };
    let server = Server::start(&[]);
    let address = server.database();
    let submitter = Arc::new(joined(&address, 1_000_000, &Program::with_room(0)).await);
    let db = Db::new(pool(&address, 2), Schema::default());
    db.run_sql(
        "create table witness (run uuid, claim_no integer, node uuid, primary key (run, claim_no, node))",
    )
    .await;
    let mut processes = Processes { address, running: Vec::new(), next: 0, hit: Vec::new() };
    (0..4).for_each(|_| processes.start());
    db.until("select count(*) from jobs.node", "5").await;

    // They go on submitting through all the faults.
    let pacemaker = pool(&processes.address, 8);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (submitter, stopped, pacemaker) = (Arc::clone(&submitter), stopped.clone(), pacemaker.clone());
        callers.spawn(async move {
            let mut accepted = Vec::new();
            while !*stopped.borrow() {
                let run = mail();
                accepted.push(run.id);
                submitter.submit(run).await.unwrap().unwrap();
                // Not faster than they can be executed; while the server is down, the next waits for it.
                let _ = sqlx::query("select pg_sleep(0.02)").execute(&pacemaker).await;
            }
            accepted
        });
    }
    db.until("select count(*) > 300 from jobs.run where job = 'mail'", "true").await;
    for _ in 0..rounds {
        let killed = processes.kill(pick(4));
        processes.start();
        let which = pick(3);
        let stopped = processes.signal(which, "-STOP");
        server.kill();
        server.start_again();
        let gone = format!(
            "select count(*) from jobs.node where id in (lpad(to_hex({killed}), 32, '0')::uuid, lpad(to_hex({stopped}), 32, '0')::uuid)"
        );
        db.until(&gone, "0").await;
        processes.signal(which, "-CONT");
        db.until("select count(*) from jobs.node", "5").await;
        server.stop();
        server.start_again();
    }
    stop.send_replace(true);
    let accepted: Vec<Id> = bounded(callers.join_all()).await.into_iter().flatten().collect();
    db.until("select count(*) from jobs.run where job = 'mail' and state <> 'succeeded'", "0").await;

    let missing: i64 = sqlx::query_scalar(
        "select count(*) from unnest($1::uuid[]) a (id) where not exists (select from jobs.run r where r.id = a.id)",
    )
    .bind(&accepted)
    .fetch_one(&db.pool)
    .await
    .unwrap();
    assert_eq!(missing, 0, "of {} accepted", accepted.len());
    assert!(accepted.len() > 300, "{}", accepted.len());
    // Whatever was begun twice had been taken from one that was hit.
    let unexplained: i64 = sqlx::query_scalar(
        "select count(*) from witness w join jobs.run r on r.id = w.run
         where w.claim_no < r.claim_no and not w.node = any ($1)",
    )
    .bind(processes.hit.iter().map(|id| Id(*id)).collect::<Vec<_>>())
    .fetch_one(&db.pool)
    .await
    .unwrap();
    assert_eq!(unexplained, 0);
    // No slot twice (the index holds it), none left out, and what is in the ledger is what ran.
    let gaps = "select count(*) from (
        select job, count(*) as fired, extract(epoch from max(slot) - min(slot)) + 1 as slots
        from jobs.run where slot is not null group by job
    ) x where fired <> slots";
    assert_eq!(db.text(gaps).await, "0");
    let ledger = "select (select sum(count) from jobs.ledger where reason = 'ran')
        = (select count(*) from jobs.run where slot is not null)";
    db.until(ledger, "true").await;
}
